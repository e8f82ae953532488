import { once } from 'node:events';
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { createFrontDoor, isQueryProtocol, type Gateway } from './front-door';

const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };

describe('the query protocol of AWS', () => {
  it.each([
    ['POST', '/', FORM],
    ['POST', '/?', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['GET', '/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Signature=0', {}],
    ['GET', '/?Version=2011-06-15&Action=GetCallerIdentity', {}],
  ])('is %s %s', (method, url, headers) => {
    expect(isQueryProtocol({ method, url, headers } as IncomingMessage)).toBe(true);
  });

  it.each([
    ['GET', '/', {}],
    ['GET', '/?max-buckets=1', {}],
    ['GET', '/?Action=GetCallerIdentity', {}],
    ['GET', '/?Version=2011-06-15', {}],
    ['GET', '/bucket?Action=GetCallerIdentity&Version=2011-06-15', {}],
    ['POST', '/bucket', FORM],
    ['POST', '/', {}],
    ['POST', '/', { 'content-type': 'multipart/form-data; boundary=x' }],
    ['PUT', '/', FORM],
  ])('is not %s %s', (method, url, headers) => {
    expect(isQueryProtocol({ method, url, headers } as IncomingMessage)).toBe(false);
  });
});

describe('the front door', () => {
  let server: Server;
  const finish: RequestListener = (request, response) => {
    request.resume().once('end', () => response.end('administration'));
  };

  const gateway: Gateway = { handle: (request, response) => finish(request, response) };

  beforeAll(async () => {
    server = createFrontDoor(
      { tls: undefined },
      finish,
      { objects: gateway, tokens: { ...gateway } },
      { idle: 10_000, headers: 100, document: 100 },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  function open(): Socket {
    return connect((server.address() as AddressInfo).port, '127.0.0.1');
  }

  it('cuts off a client that never ends its headers, and says why', async () => {
    const socket = open();
    socket.write('GET /bucket HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 .*<Code>RequestTimeout<\/Code>/s);
  });

  it('cuts off a body that the administration side waits for in vain', async () => {
    const socket = open();
    socket.write('POST /api/v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
    socket.on('error', () => undefined);
    expect(await text(socket)).toBe('');
  });

  it('cuts off a form for temporary credentials that was announced and does not come', async () => {
    const socket = open();
    const announced = 'Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\nExpect: 100-continue';
    socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n${announced}\r\n\r\n`);
    socket.on('error', () => undefined);
    expect(await text(socket)).toBe('');
  });

  it('passes over an expectation that nobody knows', async () => {
    const socket = open();
    socket.write('GET /bucket HTTP/1.1\r\nHost: localhost\r\nExpect: 200\r\nConnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('answers a whole request whatever comes after it, and ends the connection then', async () => {
    const socket = open();
    socket.write('PUT /bucket/key HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nbar');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 .*\r\nConnection: close\r\n.*administration$/s);
  });

  it('refuses what is no HTTP, and headers without end', async () => {
    const nonsense = open();
    nonsense.write('nonsense\r\n\r\n');
    expect(await text(nonsense)).toMatch(/^HTTP\/1\.1 400 .*<Code>BadRequest<\/Code>/s);
    const large = open();
    large.write(`GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`);
    expect(await text(large)).toMatch(/^HTTP\/1\.1 431 .*<Code>RequestHeaderSectionTooLarge<\/Code>/s);
  });
});
