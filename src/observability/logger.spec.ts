import { Writable } from 'node:stream';
import { Logger } from '@nestjs/common';
import { requestContext } from '../common/request-context';
import { StructuredLogger } from './logger';

function capture(level = 'info'): { logger: StructuredLogger; lines: () => Record<string, unknown>[] } {
  const written: string[] = [];
  const logger = new StructuredLogger({ level, format: 'json', destination: { write: (line) => written.push(line) } });
  return { logger, lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe('StructuredLogger', () => {
  afterEach(() => Logger.overrideLogger(false));

  it('writes one JSON object a line with level, time and the name of the caller', () => {
    const { logger, lines } = capture();
    Logger.overrideLogger(logger);
    new Logger('BlobReaper').log('Removed 3 blobs');
    expect(lines()).toEqual([expect.objectContaining({ level: 'info', logger: 'BlobReaper', msg: 'Removed 3 blobs' })]);
    expect(Date.parse(String(lines()[0]?.['time']))).not.toBeNaN();
  });

  it('adds the request the line was written for', () => {
    const { logger, lines } = capture();
    requestContext.run({ requestId: 'R1', operation: 'PutObject', principal: 'AKIA' }, () =>
      logger.warn('slow', 'Disk'),
    );
    expect(lines()[0]).toMatchObject({ requestId: 'R1', operation: 'PutObject', principal: 'AKIA', logger: 'Disk' });
  });

  it('keeps the stack that Nest hands over and the cause of an error', () => {
    const { logger, lines } = capture();
    Logger.overrideLogger(logger);
    new Logger('Kms').error('Probe failed', new Error('outer', { cause: new Error('inner') }));
    expect(lines()[0]).toMatchObject({ level: 'error', msg: 'Probe failed', logger: 'Kms' });
    expect(lines()[0]?.['err']).toMatchObject({
      message: 'outer',
      cause: expect.objectContaining({ message: 'inner' }),
    });
  });

  it('takes fields from an object and redacts them', () => {
    const { logger, lines } = capture();
    logger.log({ msg: 'Login', token: 'hvs.very-secret-token-value', role: 'store' }, 'Vault');
    expect(lines()[0]).toMatchObject({ msg: 'Login', token: '[redacted]', role: 'store', logger: 'Vault' });
  });

  it('keeps the start-up chatter of the framework for debugging', () => {
    const { logger, lines } = capture();
    logger.log('Mapped {/x, GET} route', 'RouterExplorer');
    expect(lines()).toEqual([]);
    logger.warn('Unusual', 'RouterExplorer');
    expect(lines()).toHaveLength(1);
  });

  it('drops what is below its level', () => {
    const { logger, lines } = capture('warn');
    logger.log('hidden');
    logger.debug('hidden');
    logger.error('shown');
    expect(lines().map((line) => line['msg'])).toEqual(['shown']);
  });

  it('is readable text in the pretty format', () => {
    const written: Buffer[] = [];
    const destination = new Writable({
      write(chunk: Buffer, _encoding, done) {
        written.push(chunk);
        done();
      },
    });
    new StructuredLogger({ level: 'info', format: 'pretty', destination }).log('Ready', 'Main');
    expect(Buffer.concat(written).toString()).toMatch(/INFO.*\[Main\] Ready/);
  });
});
