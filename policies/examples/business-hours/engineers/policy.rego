# Engineers may ask, for up to two hours.
package jitsudo.eligibility

default allow := false

allow if "engineering" in input.requester.groups

max_duration_seconds := 7200

reason := "only engineers may ask" if not allow
