import type { S3Client } from '@aws-sdk/client-s3';
import type { TestServer } from './server';

/** A user of a running store, with one access key. */
export interface TestUser {
  readonly s3: S3Client;
  /** Calls the admin API as this user. */
  admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: Record<string, unknown> }>;
}

/**
 * Creates a user in a running store who holds exactly one policy.
 * @param policy name of a policy there is, or the statements of a new one
 */
export async function createTestUser(
  server: TestServer,
  name: string,
  policy: string | readonly object[],
): Promise<TestUser> {
  const accessKeyId = `key-of-${name}`;
  const secretAccessKey = `secret-of-${name}`;
  const policyName = typeof policy === 'string' ? policy : `policy-of-${name}`;
  await expectDone(server.admin('POST', '/api/v1/users', { name }));
  if (typeof policy !== 'string') {
    const document = { Version: '2012-10-17', Statement: policy };
    await expectDone(server.admin('PUT', `/api/v1/policies/${policyName}`, document));
  }
  await expectDone(server.admin('POST', `/api/v1/policies/${policyName}/attach`, { user: name }));
  await expectDone(
    server.admin('POST', '/api/v1/access-keys', { userName: name, accessKeyId, secretKey: secretAccessKey }),
  );
  return {
    s3: server.s3({ credentials: { accessKeyId, secretAccessKey } }),
    admin: async (method, path, body) => {
      const response = await fetch(`${server.endpoint}${path}`, {
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${accessKeyId}:${secretAccessKey}`).toString('base64')}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
    },
  };
}

async function expectDone(answer: Promise<{ status: number; body: unknown }>): Promise<void> {
  const { status, body } = await answer;
  if (status >= 300) {
    throw new Error(`The store answered ${status}: ${JSON.stringify(body)}`);
  }
}
