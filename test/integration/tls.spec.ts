import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type DetailedPeerCertificate } from 'node:tls';
import { generate } from 'selfsigned';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { eventually } from '../support/eventually';
import { TestServer } from '../support/server';

describe('TLS', () => {
  let directory: string;
  let server: TestServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'strongroom-tls-'));
    await writeCertificate(directory, 'first.example');
    server = await TestServer.start({
      env: {
        STRONGROOM_TLS_CERT_FILE: join(directory, 'cert.pem'),
        STRONGROOM_TLS_KEY_FILE: join(directory, 'key.pem'),
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await rm(directory, { recursive: true });
  });

  it('serves S3 over HTTPS, trailing checksums included', async () => {
    expect(server.endpoint).toMatch(/^https:/);
    const s3 = server.s3({ requestHandler: { httpsAgent: new Agent({ rejectUnauthorized: false }) } });
    await s3.send(new CreateBucketCommand({ Bucket: 'secure' }));
    await s3.send(new PutObjectCommand({ Bucket: 'secure', Key: 'k', Body: 'over TLS' }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'secure', Key: 'k' }));
    expect(await Body!.transformToString()).toBe('over TLS');
  });

  it('takes a renewed certificate without a restart', async () => {
    expect(await servedName(server.endpoint)).toBe('first.example');
    await writeCertificate(directory, 'second.example');
    await eventually(async () => expect(await servedName(server.endpoint)).toBe('second.example'));
  });
});

async function writeCertificate(directory: string, commonName: string): Promise<void> {
  const pems = await generate([{ name: 'commonName', value: commonName }], { keySize: 2048 });
  await writeFile(join(directory, 'key.pem'), pems.private);
  await writeFile(join(directory, 'cert.pem'), pems.cert);
}

function servedName(endpoint: string): Promise<string> {
  const { hostname, port } = new URL(endpoint);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      const certificate: DetailedPeerCertificate = socket.getPeerCertificate(true);
      socket.destroy();
      resolve(String(certificate.subject.CN));
    });
    socket.on('error', reject);
  });
}
