import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { PayloadStream } from './payload-stream';

const MINUTES = 60_000;

describe('PayloadStream', () => {
  let source: PassThrough;
  let payload: PayloadStream;
  let failure: Error | undefined;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    failure = undefined;
    source = new PassThrough();
    payload = new PayloadStream(source as unknown as IncomingMessage);
    payload.on('error', (error) => (failure = error));
  });
  afterEach(() => {
    payload.destroy();
    jest.useRealTimers();
  });

  /** Sends so many bytes in every minute, and lets the streams work in between. */
  async function send(minutes: number, bytes: number): Promise<void> {
    for (let minute = 0; minute < minutes; minute++) {
      source.write(Buffer.alloc(bytes));
      await new Promise(setImmediate);
      jest.advanceTimersByTime(MINUTES);
      await new Promise(setImmediate);
    }
  }

  it('cuts off a body that only drips, and not one that flows', async () => {
    payload.resume();
    await send(10, 8192);
    expect(failure).toBeUndefined();
    await send(5, 1);
    expect(failure).toMatchObject({ kind: 'RequestTimeout' });
  });

  it('waits for a reader that is slow itself', async () => {
    payload.read(0);
    source.write(Buffer.alloc(600 * 1024));
    await send(10, 1);
    expect(failure).toBeUndefined();
  });

  it('leaves no timer behind a body that has ended', async () => {
    payload.resume();
    source.end(Buffer.from('whole'));
    await new Promise((resolve) => payload.once('end', resolve));
    expect(jest.getTimerCount()).toBe(0);
  });
});
