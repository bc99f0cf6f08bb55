/**
 * Text in OData filters.
 *
 * A quote in a literal is doubled (https://docs.oasis-open.org/odata/odata/v4.01/odata-v4.01-part2-url-conventions.html,
 * 5.1.1.6.1 Primitive Literals). What a filter finds is compared with what was looked for all the same: a filter is no
 * proof.
 */

/** A text as an OData literal, with its quotes. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`
