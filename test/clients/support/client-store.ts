import {
  CreateBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FakeVault, startVaultServer } from '../../fakes/vault-server';
import { TestServer } from '../../support/server';
import { expectNoPlaintext, type LargeFile } from './large-file';

/** Whole trees travel in one test, on machines that may be busy. */
jest.setTimeout(600_000);

/** As many objects as one listing shows. */
export const LISTED = 1000;

/** The KMS key of every bucket that a client works in. */
export const KEY = 'client-key';

/**
 * A started store whose buckets encrypt by SSE-KMS with a named key, in a Vault or in the embedded keyring, and a directory
 * for the files of a client.
 */
export class ClientStore {
  private constructor(
    readonly server: TestServer,
    readonly directory: string,
    readonly s3: S3Client,
    private readonly vault: FakeVault | undefined,
  ) {}

  static async start(keys: 'vault' | 'embedded'): Promise<ClientStore> {
    const vault = keys === 'vault' ? await startVaultServer() : undefined;
    vault?.createKey(KEY);
    const server = await TestServer.start();
    const answer =
      vault === undefined
        ? await server.admin('POST', `/minio/admin/v3/kms/key/create?key-id=${KEY}`)
        : await server.admin('POST', '/minio/admin/v3/config/kms_vault/default', {
            endpoint: vault.url,
            key_name: KEY,
            token: vault.rootToken,
            enabled: true,
          });
    expect(answer.status).toBe(200);
    const directory = await mkdtemp(join(tmpdir(), 'strongroom-client-'));
    return new ClientStore(server, directory, server.s3(), vault);
  }

  /** Host and port, as some clients want it. */
  get host(): string {
    return new URL(this.server.endpoint).host;
  }

  /** The variables that every client made with an AWS SDK reads. */
  get awsEnvironment(): Record<string, string> {
    return {
      HOME: this.directory,
      AWS_ACCESS_KEY_ID: this.server.accessKeyId,
      AWS_SECRET_ACCESS_KEY: this.server.secretAccessKey,
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  }

  /** A path in the client's directory. */
  path(...names: string[]): string {
    return join(this.directory, ...names);
  }

  /** Makes a bucket whose default is SSE-KMS with the named key. */
  async createBucket(name: string, versioning = false): Promise<void> {
    await this.s3.send(new CreateBucketCommand({ Bucket: name }));
    await this.sealBucket(name);
    if (versioning) {
      await this.s3.send(
        new PutBucketVersioningCommand({ Bucket: name, VersioningConfiguration: { Status: 'Enabled' } }),
      );
    }
  }

  /** Makes SSE-KMS with the named key the default of a bucket that the client has made. */
  async sealBucket(name: string): Promise<void> {
    await this.s3.send(
      new PutBucketEncryptionCommand({
        Bucket: name,
        ServerSideEncryptionConfiguration: {
          Rules: [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: KEY } }],
        },
      }),
    );
  }

  /**
   * Checks that the first objects of a bucket are sealed by the named key, and that the Vault was asked for each.
   * @returns the number of objects under the prefix, no more than one listing shows
   */
  async expectSealed(bucket: string, prefix = ''): Promise<number> {
    const { Contents = [] } = await this.s3.send(new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix }));
    for (const { Key } of Contents.slice(0, 10)) {
      const head = await this.s3.send(new HeadObjectCommand({ Bucket: bucket, Key }));
      expect(head).toMatchObject({
        ServerSideEncryption: 'aws:kms',
        SSEKMSKeyId: expect.stringContaining(KEY) as string,
      });
    }
    if (this.vault !== undefined) {
      const sealed = this.vault.requests.filter(({ path }) => path.startsWith(`transit/encrypt/${KEY}`));
      expect(sealed.length).toBeGreaterThanOrEqual(Contents.length);
    }
    return Contents.length;
  }

  /** Checks that the store keeps at least as many bytes as the large file has, and nothing of its content as it is. */
  async expectCiphertextOnly(large: LargeFile): Promise<void> {
    expect(await expectNoPlaintext(join(this.server.dataDir, 'blobs'), large)).toBeGreaterThan(large.size);
  }

  async stop(): Promise<void> {
    this.s3.destroy();
    await this.server.stop();
    await this.vault?.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}
