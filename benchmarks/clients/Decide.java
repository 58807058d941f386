import java.util.List;
import java.util.Map;
import org.openapitools.client.ApiClient;
import org.openapitools.client.api.DecisionsApi;
import org.openapitools.client.model.DecideRequest;
import org.openapitools.client.model.Decision;
import org.openapitools.client.model.Hold;
import org.openapitools.client.model.Send;
import org.openapitools.client.model.Trigger;

/** Decide with the generated Java client; the answer is typed. */
public class Decide {
    public static void main(String[] arguments) throws Exception {
        ApiClient client = new ApiClient();
        client.updateBaseUri(arguments[0]);
        DecideRequest request = new DecideRequest().eventId("java-1").shopperId("s-3").triggers(List.of(new Trigger().type("cart_abandoned")));
        Decision decision = new DecisionsApi(client).decide(request);
        if (decision.getActualInstance() instanceof Send send) {
            System.out.printf("send %s on %s at %s%n", send.getAction().getMessage(), send.getAction().getChannel(), send.getSendAt());
        } else if (decision.getActualInstance() instanceof Hold hold) {
            System.out.printf("hold: %s%n", hold.getHoldReason());
        }
    }
}
