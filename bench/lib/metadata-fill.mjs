/**
 * Fills the store's database with rows as the store itself writes them, by SQL, because a million PUTs would take an hour. What
 * is filled grows: `fill(from, to)` adds the objects numbered so, and later ones fall between earlier ones in key order.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';

/** Prefixes that the objects and versions are spread over. */
export const PREFIXES = 10_000;
/** Sub-prefixes of one deep prefix. */
const DEEP_PREFIXES = 1000;
export const DEEP = 'deep/reports/2026/';
/** The key that has very many versions, and how many. */
export const BUSY_KEY = 'q-busy';
export const BUSY_VERSIONS = 10_000;
export const UPLOADS = 10_000;
export const PARTS = 10_000;
export const BUCKETS = 1000;
const ROWS_A_STATEMENT = 100_000;

const COLUMNS = `bucket_id, key, version_id, seq, is_current, delete_marker, size, etag, last_modified, owner, metadata,
  checksum_algorithm, checksum_value, checksum_type, inline, mode, iv, seal_algorithm, sealed_key, wrapped_key, kms, kms_key_id,
  kms_key_version`;

/** What an SSE-S3 object of a usual client carries beside its name; `n` is any number. */
const CONTENT = `(n * 7919) % 30000, md5(n::text), clock_timestamp() - make_interval(secs => n % 1000000), $2,
  '{"user": {"mtime": "1764280000"}, "contentType": "application/octet-stream"}'::jsonb,
  'CRC64NVME', left(encode(sha256(n::text::bytea), 'base64'), 12), 'FULL_OBJECT', true,
  'sse-s3', sha256(n::text::bytea), 'DAREv2-HMAC-SHA256', sha512(n::text::bytea), sha512(n::text::bytea) || decode('0100000001', 'hex'),
  'builtin:default', 'strongroom-sse-s3', '1'`;
const NO_CONTENT = `0, '', clock_timestamp(), $2, '{"user": {}}'::jsonb, NULL, NULL, NULL, false, 'none', NULL, NULL, NULL, NULL, NULL, NULL, NULL`;
const VERSION_ID = `lpad(to_hex(-seq), 16, '0') || left(md5(seq::text), 16)`;

/** A connection to the embedded Postgres of a started store. */
export async function connectDatabase(store) {
  // The server says itself where its socket lies: the fifth line of its pid file.
  const socket = readFileSync(join(store.dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8').split('\n')[4];
  const client = new pg.Client({ host: socket, user: 'strongroom', database: 'strongroom' });
  await client.connect();
  return client;
}

/** Fills buckets that the store has made. */
export class MetadataFill {
  #database;
  #owner;

  constructor(database) {
    this.#database = database;
  }

  /** What does not grow: a key with many versions, uploads, parts, buckets. */
  async fillOnce() {
    const { rows } = await this.#database.query(`SELECT owner FROM bucket WHERE name = 'objects'`);
    this.#owner = rows[0].owner;
    await this.#run(
      `WITH numbered AS (SELECT n, nextval('object_version_seq') AS seq FROM generate_series(1, $3::integer) AS n),
        added AS (INSERT INTO object_version (${COLUMNS})
          SELECT b.id, '${BUSY_KEY}', ${VERSION_ID}, seq, n = $3, false, ${CONTENT} FROM numbered, bucket b WHERE b.name = $1
          RETURNING seq)
        INSERT INTO object_inline (seq, data) SELECT seq, decode('00', 'hex') FROM added`,
      ['versions', this.#owner, BUSY_VERSIONS],
    );
    await this.#run(
      `INSERT INTO multipart_upload (id, bucket_id, key, owner, metadata, mode)
        SELECT 'upload-' || lpad(n::text, 7, '0'), b.id, 'u' || lpad((n % 100)::text, 3, '0') || '/f' || n, $2, '{"user": {}}', 'none'
        FROM generate_series(1, $3::integer) AS n, bucket b WHERE b.name = $1`,
      ['uploads', this.#owner, UPLOADS],
    );
    await this.#run(
      `INSERT INTO upload_part (upload_id, number, size, etag, checksum, blob_id, last_modified)
        SELECT 'upload-0000001', n, 5242880, md5(n::text), left(md5(n::text), 12), 'none-' || n, clock_timestamp()
        FROM generate_series(1, $1::integer) AS n`,
      [PARTS],
    );
    await this.#run(
      `INSERT INTO bucket (name, owner) SELECT 'b-' || lpad(n::text, 5, '0'), $1 FROM generate_series(1, $2::integer) AS n
        ON CONFLICT DO NOTHING`,
      [this.#owner, BUCKETS - 3],
    );
  }

  /** Adds objects `from` to `to`, and as many version rows: keys with one to nine versions, the newest of some a delete marker. */
  async fill(from, to) {
    for (let first = from; first < to; first += ROWS_A_STATEMENT) {
      const last = Math.min(first + ROWS_A_STATEMENT, to);
      await this.objects(`'p' || lpad((n % ${PREFIXES})::text, 5, '0') || '/f' || lpad(n::text, 7, '0')`, first, last);
      await this.#versions(first / 5, last / 5);
    }
    await this.objects(`'${DEEP}s' || lpad((n % ${DEEP_PREFIXES})::text, 4, '0') || '/x' || n`, from / 10, to / 10);
  }

  /** Adds current objects to the bucket without versioning. @param {string} key SQL over the number `n` */
  async objects(key, from, to) {
    await this.#run(
      `WITH numbered AS (SELECT n, nextval('object_version_seq') AS seq FROM generate_series($3::bigint, $4::bigint - 1) AS n),
        added AS (INSERT INTO object_version (${COLUMNS})
          SELECT b.id, ${key}, 'null', seq, true, false, ${CONTENT} FROM numbered, bucket b WHERE b.name = $1 RETURNING seq)
        INSERT INTO object_inline (seq, data) SELECT seq, decode('00', 'hex') FROM added`,
      ['objects', this.#owner, from, to],
    );
  }

  async #versions(from, to) {
    await this.versions(
      `'p' || lpad((n % ${PREFIXES})::text, 5, '0') || '/f' || lpad(n::text, 7, '0')`,
      '1 + (n * 7919) % 9',
      from,
      to,
    );
    // The newest versions of every seventh key give way to a delete marker.
    await this.#run(
      `WITH hidden AS (UPDATE object_version v SET is_current = false FROM bucket b
          WHERE b.name = $1 AND v.bucket_id = b.id AND v.is_current AND v.key = ANY (
            SELECT 'p' || lpad((n % ${PREFIXES})::text, 5, '0') || '/f' || lpad(n::text, 7, '0')
            FROM generate_series($3::bigint, $4::bigint - 1) AS n WHERE n % 7 = 0)
          RETURNING v.bucket_id, v.key),
        numbered AS (SELECT *, nextval('object_version_seq') AS seq FROM hidden)
        INSERT INTO object_version (${COLUMNS}) SELECT bucket_id, key, ${VERSION_ID}, seq, true, true, ${NO_CONTENT} FROM numbered`,
      ['versions', this.#owner, from, to],
    );
  }

  /** Adds keys to the versioned bucket. @param {string} count SQL over `n`: versions of the key */
  async versions(key, count, from, to) {
    await this.#run(
      `WITH numbered AS (SELECT n, i, ${count} AS versions, nextval('object_version_seq') AS seq
          FROM generate_series($3::bigint, $4::bigint - 1) AS n, generate_series(1, ${count}) AS i),
        added AS (INSERT INTO object_version (${COLUMNS})
          SELECT b.id, ${key}, ${VERSION_ID}, seq, i = versions, false, ${CONTENT} FROM numbered, bucket b WHERE b.name = $1
          RETURNING seq)
        INSERT INTO object_inline (seq, data) SELECT seq, decode('00', 'hex') FROM added`,
      ['versions', this.#owner, from, to],
    );
  }

  async #run(text, values) {
    await this.#database.query({ text, values });
  }
}
