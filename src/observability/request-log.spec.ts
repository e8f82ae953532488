import { Logger, type LoggerService } from '@nestjs/common';
import { register } from 'prom-client';
import type { FinishedRequest } from '../common/request-observer';
import { RequestLog } from './request-log';

const request: FinishedRequest = {
  operation: 'GetObject',
  method: 'GET',
  path: '/bucket/key',
  status: 200,
  bytesIn: 0,
  bytesOut: 4096,
  seconds: 0.0123,
  requestId: 'R1',
  principal: 'AKIA',
  remoteAddress: '127.0.0.1',
};

describe('RequestLog', () => {
  const lines: { level: string; line: unknown }[] = [];
  const record = (level: string) => (line: unknown) => void lines.push({ level, line });
  const recorder: LoggerService = { log: record('log'), warn: record('warn'), error: record('error') };

  beforeEach(() => {
    lines.length = 0;
    register.resetMetrics();
    Logger.overrideLogger(recorder);
  });
  afterAll(() => Logger.overrideLogger(false));

  function finish(change: Partial<FinishedRequest> = {}): void {
    const log = new RequestLog();
    log.requestFinished({ ...request, ...change });
  }

  it.each([
    [200, 'log'],
    [304, 'log'],
    [404, 'log'],
    [403, 'warn'],
    [503, 'error'],
  ])('writes one line for status %i at level %s', (status, level) => {
    finish({ status });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level,
      line: { requestId: 'R1', operation: 'GetObject', status, milliseconds: 12.3 },
    });
  });

  it('names the error code in the message', () => {
    finish({ status: 404, errorCode: 'NoSuchKey' });
    expect(lines[0]?.line).toMatchObject({ msg: 'GetObject 404 NoSuchKey 12.3 ms' });
  });

  it('tells the cause of a server fault in the same line, even when the status had been sent', () => {
    const failure = new Error('disk full');
    finish({ failure });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ level: 'error', line: { status: 200, err: failure } });
  });

  it('is silent about health and metrics unless they fail', () => {
    finish({ operation: 'Health' });
    finish({ operation: 'Metrics' });
    expect(lines).toHaveLength(0);
    finish({ operation: 'Health', status: 503 });
    expect(lines).toHaveLength(1);
  });

  it('counts requests, bytes and time by operation and status', async () => {
    finish();
    finish({ operation: 'PutObject', bytesIn: 10, bytesOut: 0 });
    finish({ status: 404 });
    const text = await register.metrics();
    expect(text).toContain('strongroom_requests_total{operation="GetObject",status="200"} 1');
    expect(text).toContain('strongroom_requests_total{operation="GetObject",status="404"} 1');
    expect(text).toContain('strongroom_request_duration_seconds_count{operation="GetObject"} 2');
    expect(text).toContain('strongroom_received_bytes_total 10');
    expect(text).toContain('strongroom_sent_bytes_total 8192');
  });

  it('never puts a principal, request id or address into a metric', async () => {
    finish();
    expect(await register.metrics()).not.toMatch(/AKIA|R1\b|127\.0\.0\.1/);
  });
});
