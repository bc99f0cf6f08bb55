package jitsudo.breakglass_test

import data.jitsudo.breakglass

ask(groups, reason) := {"requester": {"groups": groups}, "request": {"reason": reason}}

test_on_call_may if breakglass.allow with input as ask(["sre"], "the site is down")

test_others_may_not if not breakglass.allow with input as ask(["dev"], "the site is down")

test_a_reason_is_needed if not breakglass.allow with input as ask(["sre"], "x")
