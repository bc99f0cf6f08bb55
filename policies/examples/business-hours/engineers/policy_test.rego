package jitsudo.eligibility_test

import data.jitsudo.eligibility

test_engineers_may_ask if eligibility.allow with input as {"requester": {"groups": ["engineering"]}}

test_others_may_not if not eligibility.allow with input as {"requester": {"groups": ["sales"]}}

test_two_hours_at_most if eligibility.max_duration_seconds == 7200
