// Decide with the generated TypeScript types; the compiler knows that only a send has an action.
import type { components } from "./schema";

type DecideRequest = components["schemas"]["DecideRequest"];
type Decision = components["schemas"]["Decision"];

function describe(decision: Decision): string {
  switch (decision.decision) {
    case "send":
      return `send ${decision.action.message} on ${decision.action.channel} at ${decision.send_at}`;
    case "hold":
      return `hold: ${decision.hold_reason}`;
  }
}

async function main(url: string): Promise<void> {
  const request: DecideRequest = {
    event_id: "typescript-1",
    shopper_id: "s-2",
    triggers: [{ type: "cart_abandoned", attributes: { product: "Runner 3", price: 59.9 } }],
  };
  const response = await fetch(`${url}/v1/decide`, { method: "POST", body: JSON.stringify(request) });
  if (response.status !== 200) throw new Error(await response.text());
  console.log(describe((await response.json()) as Decision));
}

main(process.argv[2]!);
declare const process: { argv: string[] };
