/**
 * Which jitsudo this database belongs to: the word that its marks carry at every platform.
 *
 * Made once, with the table. A backup that is restored keeps it; a copy that runs beside the original is given another
 * one by `database.installation` in the configuration (docs/spec/reconciliation.md, section 1).
 */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE jitsudo.installation (
     single boolean PRIMARY KEY DEFAULT true CHECK (single),
     word text NOT NULL CHECK (word ~ '^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$')
   )`,
  `INSERT INTO jitsudo.installation (word) VALUES (substr(replace(gen_random_uuid()::text, '-', ''), 1, 10))`
]
