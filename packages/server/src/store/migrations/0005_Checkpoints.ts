/**
 * The Merkle tree over the log and its signed checkpoints (docs/spec/audit.md).
 *
 * 1. The tree's lowest level is `audit.leaf`. Above it stands one row for every 256 complete hashes below: the hash of a
 *    full tile, at the level and place where it stands in the tile above. Both are functions of the log alone.
 * 2. There is one checkpoint of a size, whoever signs it.
 * 3. Rows of both tables are never changed or removed.
 */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE jitsudo.audit_tree (
     level int2 NOT NULL CHECK (level BETWEEN 1 AND 7),
     place int8 NOT NULL CHECK (place >= 0),
     hash bytea NOT NULL CHECK (length(hash) = 32),
     PRIMARY KEY (level, place)
   )`,
  `CREATE TABLE jitsudo.audit_checkpoints (
     size int8 PRIMARY KEY CHECK (size > 0),
     root bytea NOT NULL CHECK (length(root) = 32),
     origin text COLLATE "C" NOT NULL,
     note text NOT NULL,
     signed_at int8 NOT NULL
   )`,
  `CREATE TRIGGER audit_tree_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON jitsudo.audit_tree
   FOR EACH STATEMENT EXECUTE FUNCTION jitsudo.refuse_change()`,
  `CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON jitsudo.audit_checkpoints
   FOR EACH STATEMENT EXECUTE FUNCTION jitsudo.refuse_change()`
]
