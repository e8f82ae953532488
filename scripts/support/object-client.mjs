/** A client with many small objects that knows what each of them has to contain. */
import {
  CreateBucketCommand,
  GetObjectCommand,
  PutBucketEncryptionCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { setTimeout as delay } from 'node:timers/promises';
import { ACCESS_KEY, SECRET_KEY } from './store.mjs';

const LANES = 4;
const ATTEMPTS = 10;
/** Between two reads of a lane: a busy client, but not one that asks for the whole machine. */
const PAUSE_MS = 20;

/** Calls `work` with 0 up to `count - 1`, so many at a time. */
export async function forEachAtOnce(lanes, count, work) {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

export class ObjectClient {
  counts = { reads: 0, writes: 0 };
  #versions = new Map();
  #traffic;
  #ending = false;

  constructor(s3, bucket) {
    this.s3 = s3;
    this.bucket = bucket;
  }

  static connect(endpoint, bucket) {
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
    const s3 = new S3Client({
      endpoint,
      region: 'us-east-1',
      forcePathStyle: true,
      maxAttempts: ATTEMPTS,
      credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
    });
    return new ObjectClient(s3, bucket);
  }

  async createBucket(keyReference) {
    await this.s3.send(new CreateBucketCommand({ Bucket: this.bucket }));
    await this.setDefaultKey(keyReference);
  }

  /** Has new objects of the bucket sealed under a key. */
  async setDefaultKey(keyReference) {
    const rule = { ApplyServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms', KMSMasterKeyID: keyReference } };
    await this.s3.send(
      new PutBucketEncryptionCommand({
        Bucket: this.bucket,
        ServerSideEncryptionConfiguration: { Rules: [rule] },
      }),
    );
  }

  /** Writes the next version of an object. */
  async put(index) {
    const version = (this.#versions.get(index) ?? 0) + 1;
    await this.s3.send(
      new PutObjectCommand({
        Bucket: this.bucket,
        Key: `object-${index}`,
        Body: `object ${index}, version ${version}`,
      }),
    );
    this.#versions.set(index, version);
  }

  /** Reads an object and compares it with what was written last. */
  async assertObject(index) {
    const { Body } = await this.s3.send(new GetObjectCommand({ Bucket: this.bucket, Key: `object-${index}` }));
    const text = await Body.transformToString();
    const expected = `object ${index}, version ${this.#versions.get(index)}`;
    if (text !== expected) throw new Error(`Object ${index} is "${text}" and not "${expected}"`);
  }

  /** Reads and overwrites objects at random, until {@link endTraffic}. No two lanes touch the same object. */
  beginTraffic(count) {
    const lane = async (first) => {
      const mine = Math.floor((count - 1 - first) / LANES) + 1;
      while (!this.#ending) {
        const index = first + LANES * Math.floor(Math.random() * mine);
        await this.assertObject(index);
        this.counts.reads++;
        if (Math.random() < 0.25) {
          await this.put(index);
          this.counts.writes++;
        }
        await delay(PAUSE_MS);
      }
    };
    this.#traffic = Promise.all(Array.from({ length: LANES }, (_, first) => lane(first)));
    // Told to whoever ends the traffic.
    this.#traffic.catch(() => undefined);
  }

  /** Rejects when a read or a write went wrong meanwhile. */
  async endTraffic() {
    this.#ending = true;
    await this.#traffic;
  }
}
