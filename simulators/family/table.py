"""The table of ranges: what is drawn for each world of the family.

A range says what a shop could be like as far as anybody knows. The table was written before any policy ran on a world
of the family; a later change needs a decision record (docs/decisions/0024).
"""

from __future__ import annotations

from simulators.family.ranges import Choice, Range

_HILLSTROM = "Hillstrom (2008): visits rise by 4.5 to 7.7 points, of which clicks explain some 2.5"
_UNTESTED = "judgement: no randomised test is public"
_SURVEY = "around Localytics (2017): 10 % tolerate 1 a week, half 5"
_NBD = "NBD fits: .026 (CDNOW) to .083 (Online Retail) orders a week, an order in one of 5 to 50 visits"
_PER_SEND = "judgement: half to twice the fitted clicks per send"
_SWEEP = "10 e-mails a month instead of the best 7 lose 16 %: Zhang, Kumar and Cosguner (2017)"
_KLAVIYO = "Klaviyo's defaults: last touch, from 12 hours (SMS) to 5 days (e-mail); other tools up to weeks"

RANGES: tuple[Range | Choice, ...] = (
    # How often people come by themselves.
    Range("visits_per_week", 0.4, 3.5, "log-uniform", _NBD),
    Range("new_shoppers_per_week", 0.0, 0.03),
    Range("parameters.visits_shape", 0.36, 1.2, "uniform", "NBD .36 (CDNOW) to .83 (Online Retail), and above"),
    Range("parameters.lapse_per_visit", 0.003, 0.03, "log-uniform", ".25 per order: BG/NBD of CDNOW"),
    Range("parameters.lapsed_at_start", 0.0, 0.3),
    Range("parameters.order_base", 0.008, 0.05, "log-uniform", "orders in 5.4 % of visits: Hillstrom's control"),
    Range("parameters.need_half_life_h", 48.0, 700.0, "log-uniform"),
    # Taste.
    Range("weekly_shock", 0.0, 0.3),
    Range("parameters.click_logit_sd", 0.2, 1.1),
    Range("parameters.channel_taste_sd", 0.1, 1.2),
    Range("parameters.taste_sd", 0.2, 1.1),
    Range("parameters.category_sd", 0.1, 1.0),
    Range("parameters.message_sd", 0.0, 0.5),
    # How well shoppers are known: what the device tells, and in how many visits the shopper is recognised.
    Range("parameters.device_taste", 0.0, 0.8),
    Range("parameters.mobile_share", 0.4, 0.95),
    Range("reports.recognised", 0.3, 1.0),
    # The hour.
    Range("parameters.push.hour_effect", 0.0, 0.9, "uniform", "0: Open Bandit (flat); .58: clicks on push by hour"),
    Range("parameters.webpush.hour_effect", 0.0, 0.9),
    Range("parameters.email.hour_effect", 0.0, 0.4),
    Range("parameters.shift_sd_h", 0.3, 2.5, "uniform", "1.14 between customers: Online Retail"),
    Range("parameters.opt_out_factor_at_night", 1.0, 4.0),
    # Fatigue.
    Range("tolerance", 0.35, 1.0, "log-uniform", _SURVEY),
    Range("parameters.tolerance_log_sd", 0.8, 1.4, "uniform", _SURVEY),
    Range("parameters.click_logit_per_overload", 0.9, 2.0, "uniform", _SWEEP),
    Range("parameters.click_logit_per_staleness", 0.25, 0.8, "uniform", _SWEEP),
    Range("parameters.load_half_life_h", 48.0, 168.0, "log-uniform"),
    Range("parameters.staleness_half_life_h", 168.0, 720.0, "log-uniform", "15 days: Yancey and Settles (2020)"),
    Range("parameters.attention_ignore", 0.045, 0.12, "uniform", _SWEEP),
    Range("parameters.attention_recovery_per_h", 0.0018, 0.0052, "log-uniform", _SWEEP),
    Range("parameters.least_attention", 0.15, 0.35),
    Range("parameters.push.weight", 1.0, 2.7),
    Range("parameters.email.weight", 2.0, 3.6, "uniform", "around First Insight's survey of e-mails a week"),
    Range("parameters.sms.weight", 1.0, 3.0),
    Range("parameters.webpush.weight", 0.7, 2.4),
    Range("parameters.inapp.weight", 0.1, 1.0),
    # Intent.
    Range("parameters.push.per_intent", 0.8, 2.5, "uniform", "cart 16 %, contextual 14.4 %: Contentbase, Batch (2025)"),
    Range("parameters.email.per_intent", 1.8, 3.4, "uniform", "cart 9.5 % on average, 13.6 % the first of a series"),
    Range("parameters.sms.per_intent", 0.4, 1.9, "uniform", "cart 16.2 %, flows nearly 10 %: Postscript, Klaviyo"),
    Range("parameters.webpush.per_intent", 0.6, 2.5),
    Range("parameters.inapp.per_intent", 0.5, 2.5),
    Range("parameters.order_per_intent", 0.03, 0.25, "log-uniform"),
    Range("parameters.conversion_base", 0.02, 0.1, "log-uniform", "1 in 20: Omnisend; SMS 1 in 7: Postscript"),
    Range("parameters.conversion_per_intent", 0.1, 0.5, "log-uniform", "1 in 3, cart 1 in 2: Omnisend (2023)"),
    Range("parameters.cart_share", 0.04, 0.15),
    Range("parameters.view_share", 0.3, 0.8),
    Range("parameters.wish_share", 0.05, 0.3),
    Range("parameters.view_intent", 0.15, 0.7),
    Range("parameters.intent_half_life_h", 12.0, 120.0, "log-uniform", "48 fits a day's delay: SaleCycle, Omnisend"),
    Range("parameters.after_order", 0.0, 0.4),
    Range("parameters.later_orders", 0.2, 0.6, "uniform", "half after two days: Starbucks' log (simulated)"),
    Range("parameters.order_lag_h", 12.0, 72.0, "log-uniform", "half after two days: Starbucks' log (simulated)"),
    Range("parameters.return_lag_h", 12.0, 96.0, "log-uniform"),
    Range("parameters.triggers.warmth_cart_abandoned", 0.6, 1.0),
    Range("parameters.triggers.warmth_product_viewed", 0.1, 0.7),
    Range("parameters.triggers.warmth_wishlist", 0.2, 0.8),
    Range("parameters.triggers.warmth_back_in_stock", 0.4, 1.0),
    Range("parameters.triggers.warmth_low_stock", 0.2, 0.9),
    Range("parameters.triggers.warmth_post_purchase", 0.05, 0.9),
    Range("parameters.triggers.warmth_review_request", 0.05, 0.6),
    Range("parameters.triggers.warmth_welcome", 0.3, 1.0),
    Range("parameters.triggers.warmth_replenishment", 0.2, 0.9),
    Range("parameters.triggers.warmth_win_back", 0.05, 0.6),
    # Price and money.
    Range("parameters.offer_logit", -0.3, 1.5),
    Range("parameters.triggers.warmth_price_drop", 0.3, 1.0),
    Range("parameters.triggers.price_drop_share", 0.1, 0.5),
    Range("parameters.margin", 0.12, 0.5),
    Range("parameters.value_log_mean", 3.2, 5.2, "uniform", "CDNOW (mean 36 dollars) to Online Retail (log-mean 5.56)"),
    Range("parameters.value_log_sd", 0.6, 1.23, "uniform", "Hillstrom .84, Online Retail 1.23"),
    Range("parameters.refunding_share", 0.05, 0.6, "uniform", "one in four: retailers' surveys; fashion more"),
    Range("parameters.most_refunds", 0.15, 0.5, "uniform", "5 to 15 %: retailers' surveys; fashion up to a half"),
    # Channels: who can be reached, who looks, what a message does.
    Range("parameters.push.consent", 0.35, 0.8, "uniform", "iOS .56, Android .67 (before .85): Batch (2025)"),
    Range("parameters.email.consent", 0.4, 0.95),
    Range("parameters.sms.consent", 0.05, 0.5),
    Range("parameters.webpush.consent", 0.02, 0.25, "uniform", ".01 to .25 by the kind of prompt: Reachbell (2026)"),
    Range("parameters.inapp.consent", 0.3, 0.95),
    Range("parameters.push.looked", 0.35, 0.8),
    Range("parameters.email.looked", 0.25, 0.55),
    Range("parameters.webpush.looked", 0.4, 0.85),
    Range("parameters.push.per_hour", 0.4, 1.6, "log-uniform", "median 48 min: Leanplum"),
    Range("parameters.email.per_hour", 0.2, 0.6, "log-uniform", "half after 3 h: Inntopia"),
    Range("parameters.push.intercept", -3.75, -2.35, "uniform", _PER_SEND),
    Range("parameters.email.intercept", -3.8, -2.4, "uniform", _PER_SEND),
    Range("parameters.sms.intercept", -3.4, -2.0, "uniform", _PER_SEND),
    Range("parameters.webpush.intercept", -3.8, -2.4, "uniform", _PER_SEND),
    Range("parameters.inapp.intercept", -3.5, -1.9),
    Range("parameters.push.returning", 0.0, 0.06, "uniform", _UNTESTED),
    Range("parameters.email.returning", 0.05, 0.14, "uniform", _HILLSTROM),
    Range("parameters.sms.returning", 0.0, 0.1, "uniform", _UNTESTED),
    Range("parameters.webpush.returning", 0.0, 0.04, "uniform", _UNTESTED),
    Range("parameters.inapp.returning", 0.0, 0.04, "uniform", _UNTESTED),
    # What an opt-out costs later, and who opts out.
    Range("irritability", 0.6, 2.0, "log-uniform"),
    Range("parameters.irritability_log_sd", 0.2, 1.0),
    Range("parameters.opt_out_per_overload", 0.9, 1.8),
    Range("parameters.lapse_per_opt_out", 0.1, 0.95, "uniform", ".6: Localytics (2017), stated intents"),
    Range("parameters.win_back_per_visit", 0.05, 0.5),
    Range("parameters.lapsed_looks", 0.2, 0.9),
    Range("parameters.uninstall_share", 0.0, 0.3),
    Range("parameters.uninstall_per_lapse", 0.0, 0.5),
    Range("parameters.push.opt_out", 0.001, 0.004, "log-uniform"),
    Range("parameters.email.opt_out", 0.0021, 0.0057, "log-uniform", ".10 to .27 % of sends: Mailchimp, BS&Co"),
    Range("parameters.sms.opt_out", 0.0046, 0.0185, "log-uniform", ".5 to 2 % of sends: Klaviyo, Postscript (2020)"),
    Range("parameters.webpush.opt_out", 0.002, 0.008, "log-uniform"),
    Range("parameters.inapp.opt_out", 0.0002, 0.002, "log-uniform"),
    # Reports: how they differ from the events.
    Choice("reports.attribution", ("last_touch", "any_touch"), _KLAVIYO),
    Choice("reports.touch", ("delivery", "open", "click"), _KLAVIYO),
    Range("reports.window_h", 4.0, 672.0, "log-uniform", _KLAVIYO),
    Choice("reports.net_of_refunds", (False, True)),
    Range("reports.machine_opens", 0.05, 0.6, "uniform", "Apple Mail: 8 to 30 % of opens (SendGrid), half (Litmus)"),
    Range("reports.machine_clicks", 0.0, 0.1, "uniform", "clicks by machines more than doubled those of one shop"),
    Range("reports.missing", 0.0, 0.3),
    Range("reports.late", 0.0, 0.5),
    Range("reports.late_h", 1.0, 96.0, "log-uniform"),
    Range("reports.repeated", 0.0, 0.1),
    Range("reports.wrong_zones", 0.0, 0.5),
    Range("reports.zone_error_h", -9.0, 9.0),
)
"""Every row is drawn by its name: a further row changes no other."""
