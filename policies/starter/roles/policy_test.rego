package jitsudo.lib.roles_test

import data.jitsudo.lib.roles

test_names_of_readers if {
	every role in {"reader", "ReadOnly", "read-only", "arn:aws:iam::123456789012:role/ReadOnly"} {
		roles.read_only(role)
	}
}

test_names_that_only_begin_so if {
	every role in {"readwrite", "reader-admin", "read", "auditor/prod-admin", "prod-admin", ""} {
		not roles.read_only(role)
	}
}
