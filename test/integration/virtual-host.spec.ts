import { exchange, signedOptions } from '../support/raw-request';
import { TestServer } from '../support/server';

const DOMAIN = 's3.example.test';

describe('virtual-host addressing', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await TestServer.start({ env: { STRONGROOM_S3_DOMAIN: DOMAIN } });
  });
  afterAll(() => server.stop());

  const send = (host: string, method: string, path: string, body = ''): ReturnType<typeof exchange> => {
    const { hostname, port } = new URL(server.endpoint);
    const named = { endpoint: `http://${host}:${port}`, accessKeyId: server.accessKeyId };
    const signed = signedOptions({ ...named, secretAccessKey: server.secretAccessKey }, method, path, {
      'content-length': String(Buffer.byteLength(body)),
      'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
    });
    return exchange({ ...signed, host: hostname }, body);
  };

  it('takes the bucket from the host name, and the whole path as the key', async () => {
    expect((await send(`photos.${DOMAIN}`, 'PUT', '/')).status).toBe(200);
    expect((await send(`photos.${DOMAIN}`, 'PUT', '/2026/summer.jpg', 'a picture')).status).toBe(200);
    expect((await send(`photos.${DOMAIN}`, 'GET', '/2026/summer.jpg')).body).toBe('a picture');
    expect((await send(DOMAIN, 'GET', '/photos/2026/summer.jpg')).body).toBe('a picture');
    expect((await send(`photos.${DOMAIN}`, 'GET', '/?list-type=2')).body).toContain('<Key>2026/summer.jpg</Key>');
  });

  it('still serves path style on the address itself', async () => {
    expect((await send('127.0.0.1', 'GET', '/photos/2026/summer.jpg')).body).toBe('a picture');
  });

  it('knows no bucket of another host', async () => {
    const answer = await send(`missing.${DOMAIN}`, 'GET', '/k');
    expect(answer.status).toBe(404);
    expect(answer.body).toContain('<Code>NoSuchBucket</Code>');
  });
});
