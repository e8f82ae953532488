/**
 * Fills the table of operations in docs/s3-compatibility.md from the routing table. With --check nothing is written and a
 * difference is an error.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const { S3_ROUTES } = createRequire(import.meta.url)(fileURLToPath(new URL('dist/src/s3/s3-routes.js', root)));

/** What of an implemented operation is not done, by its name. */
const PARTLY = {
  PutBucketVersioning: 'MFA delete is refused',
  PutBucketAccelerateConfiguration: '`Suspended` only',
  PutBucketLogging: 'kept and shown; no logs are delivered',
  PutBucketNotificationConfiguration: 'to webhooks; no EventBridge',
  PutBucketRequestPayment: 'kept and shown; nobody pays',
  PutBucketLifecycleConfiguration: 'transitions are accepted and change nothing',
};

const rows = [...S3_ROUTES]
  .sort((left, right) => (left.operation < right.operation ? -1 : 1))
  .map(({ operation, method, resource, query, implemented, actions }) => {
    const target = `\`${method} /${{ service: '', bucket: 'bucket', object: 'bucket/key' }[resource]}${query === undefined ? '' : `?${query}`}\``;
    const state = implemented
      ? PARTLY[operation] === undefined
        ? 'yes'
        : `partly: ${PARTLY[operation]}`
      : '`NotImplemented`';
    return `| ${operation} | ${target} | ${state} | ${actions.map((action) => `\`${action}\``).join(', ')} |`;
  });
const unknown = Object.keys(PARTLY).filter(
  (name) => !S3_ROUTES.some(({ operation, implemented }) => implemented && operation === name),
);
if (unknown.length > 0) throw new Error(`No implemented operation has the name ${unknown.join(', ')}`);

const implemented = S3_ROUTES.filter((route) => route.implemented).length;
const content = [
  `${implemented} of ${S3_ROUTES.length} operations are implemented.`,
  '',
  '| Operation | Request | Supported | Permissions |',
  '| --- | --- | --- | --- |',
  ...rows,
].join('\n');

const file = new URL('docs/s3-compatibility.md', root);
const text = readFileSync(file, 'utf8');
const begin = '<!-- operations:begin, written by npm run docs:s3 -->';
const end = '<!-- operations:end -->';
const [from, to] = [text.indexOf(begin), text.indexOf(end)];
if (from === -1 || to === -1) throw new Error('docs/s3-compatibility.md has no markers for the operations');
const updated = `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;

if (process.argv.includes('--check')) {
  if (updated !== text) {
    console.error('The table of operations in docs/s3-compatibility.md is out of date; run: npm run docs:s3');
    process.exitCode = 1;
  }
} else {
  writeFileSync(file, updated);
}
