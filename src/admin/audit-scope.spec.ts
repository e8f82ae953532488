import { adminCategoryOf } from '../common/audit-trail';
import { leavesRecord } from './audit-scope';

it.each([
  ['POST', '/rustfs/admin/v3/kms/key/rotate', true],
  ['DELETE', '/api/v1/users/alice', true],
  ['PUT', '/minio/admin/v3/config', true],
  ['GET', '/minio/kms/v1/key/status', true],
  ['GET', '/rustfs/admin/v3/kms/keys/blue', true],
  ['GET', '/minio/kms/v1/key/list', true],
  ['GET', '/minio/kms/v1/status', false],
  ['POST', '/minio/admin/v3/kms/status', false],
  ['GET', '/minio/kms/v1/metrics', false],
  ['GET', '/api/v1/users', false],
  ['GET', '/api/v1/audit', false],
])('%s %s leaves a record: %s', (method, path, expected) => {
  expect(leavesRecord(method, path)).toBe(expected);
});

it.each([
  ['/minio/admin/v3/config/kms/default', 'config'],
  ['/minio/admin/v3/set-config-kv', 'config'],
  ['/rustfs/admin/v3/kms/configure', 'config'],
  ['/rustfs/admin/v3/kms/key/create', 'kms'],
  ['/minio/kms/v1/key/status', 'kms'],
  ['/api/v1/policies/readwrite/attach', 'identity'],
])('%s is about %s', (path, expected) => {
  expect(adminCategoryOf(path)).toBe(expected);
});
