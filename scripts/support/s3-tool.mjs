/** Moves files in and out of the store with the aws command line, or with AWS SDK v3 where that is missing. */
import { spawn, spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { ACCESS_KEY, SECRET_KEY } from './store.mjs';

const REGION = 'us-east-1';

/**
 * @param {string} endpoint
 * @returns {Promise<{name: string, createBucket(bucket: string): Promise<void>, upload(file: string, bucket: string, key: string): Promise<void>,
 *   download(bucket: string, key: string, file: string): Promise<void>, head(bucket: string, key: string): Promise<Record<string, unknown>>}>}
 */
export async function s3Tool(endpoint) {
  const version = spawnSync('aws', ['--version'], { encoding: 'utf8' });
  return version.status === 0 ? awsCli(endpoint, version.stdout.split(' ')[0]) : sdk(endpoint);
}

function awsCli(endpoint, name) {
  const run = (...args) =>
    new Promise((resolve, reject) => {
      const child = spawn('aws', ['--endpoint-url', endpoint, ...args], {
        env: {
          ...process.env,
          AWS_ACCESS_KEY_ID: ACCESS_KEY,
          AWS_SECRET_ACCESS_KEY: SECRET_KEY,
          AWS_DEFAULT_REGION: REGION,
          AWS_EC2_METADATA_DISABLED: 'true',
          AWS_CONFIG_FILE: '/dev/null',
          AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let output = '';
      let errors = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (errors += chunk));
      child.on('error', reject);
      child.on('close', (code) =>
        code === 0 ? resolve(output) : reject(new Error(`aws ${args.join(' ')} ended with ${code}: ${errors.trim()}`)),
      );
    });
  return {
    name,
    createBucket: (bucket) => run('s3', 'mb', `s3://${bucket}`),
    upload: (file, bucket, key) => run('s3', 'cp', '--no-progress', '--sse', 'aws:kms', file, `s3://${bucket}/${key}`),
    download: (bucket, key, file) => run('s3', 'cp', '--no-progress', `s3://${bucket}/${key}`, file),
    head: async (bucket, key) => JSON.parse(await run('s3api', 'head-object', '--bucket', bucket, '--key', key)),
  };
}

async function sdk(endpoint) {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  const { CreateBucketCommand, GetObjectCommand, HeadObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
  const { Upload } = await import('@aws-sdk/lib-storage');
  const client = new S3Client({
    endpoint,
    region: REGION,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY, secretAccessKey: SECRET_KEY },
  });
  return {
    name: 'AWS SDK v3',
    createBucket: async (bucket) => void (await client.send(new CreateBucketCommand({ Bucket: bucket }))),
    upload: async (file, bucket, key) => {
      const params = { Bucket: bucket, Key: key, Body: createReadStream(file), ServerSideEncryption: 'aws:kms' };
      await new Upload({ client, params, partSize: 8 << 20, queueSize: 8 }).done();
    },
    download: async (bucket, key, file) => {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      await pipeline(Body, createWriteStream(file));
    },
    head: (bucket, key) => client.send(new HeadObjectCommand({ Bucket: bucket, Key: key })),
  };
}
