# Which roles only read. They are named whole: `readwrite` begins like `read` too. Add yours here.
package jitsudo.lib.roles

read_only(role) if regex.match(`(^|[/:])(reader|viewer|auditor|read-?only|viewonlyaccess|securityaudit)$`, lower(role))
