import type { S3Client } from '@aws-sdk/client-s3';
import { AccessKeyService } from '../../src/identity/access-key.service';
import { IdentityAdminService } from '../../src/identity/identity-admin.service';
import { IdentityService } from '../../src/identity/identity.service';
import type { S3App } from './s3-app';

/** A user of the S3 face with a client of its own. */
export interface S3User {
  readonly client: S3Client;
  /** Canonical id. */
  readonly ownerId: string;
}

/** Makes a user who holds exactly these statements; without any it holds no policy at all. */
export async function createS3User(app: S3App, name: string, statements: readonly object[] = []): Promise<S3User> {
  const admin = app.module.get(IdentityAdminService);
  const { ownerId } = await admin.createUser(name);
  if (statements.length > 0) {
    const policy = `policy-${ownerId.slice(0, 16)}`;
    await admin.putPolicy(policy, JSON.stringify({ Version: '2012-10-17', Statement: statements }));
    await admin.attachPolicy(policy, { user: name });
  }
  const root = (await app.module.get(IdentityService).findCredential(app.target.accessKeyId))?.principal;
  if (root === undefined) {
    throw new Error('Root has no credential');
  }
  const { key, secretKey } = await app.module.get(AccessKeyService).create({ userName: name }, root);
  const client = app.s3({ credentials: { accessKeyId: key.accessKeyId, secretAccessKey: secretKey.reveal() } });
  return { client, ownerId };
}
