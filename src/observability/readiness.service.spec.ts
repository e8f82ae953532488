import { ReadinessService, type ReadinessCheck } from './readiness.service';

const up: ReadinessCheck = { name: 'database', critical: true, run: async () => undefined };
const down = (name: string, critical: boolean): ReadinessCheck => ({
  name,
  critical,
  run: () => Promise.reject(new Error('connect 10.0.0.7:5432')),
});

describe('ReadinessService', () => {
  it('is ok when every part works', async () => {
    await expect(new ReadinessService([up]).report()).resolves.toEqual({
      status: 'ok',
      checks: { database: { status: 'up' } },
    });
  });

  it('is unavailable without a critical part and tells no address', async () => {
    const report = await new ReadinessService([up, down('blobStore', true)]).report();
    expect(report.status).toBe('unavailable');
    expect(report.checks['blobStore']?.status).toBe('down');
    expect(JSON.stringify(report)).not.toContain('10.0.0.7');
  });

  it('is degraded, and names the member, when a part that is not critical is down', async () => {
    const kms: ReadinessCheck = {
      name: 'kms',
      critical: false,
      run: async () => ({
        'kms vault:default': { status: 'down', reason: 'sealed' },
        'kms builtin:default': { status: 'up' },
      }),
    };
    await expect(new ReadinessService([up, kms]).report()).resolves.toEqual({
      status: 'degraded',
      checks: {
        database: { status: 'up' },
        'kms vault:default': { status: 'down', reason: 'sealed' },
        'kms builtin:default': { status: 'up' },
      },
    });
  });

  it('gives up on a part that hangs', async () => {
    jest.useFakeTimers();
    try {
      const hanging: ReadinessCheck = { name: 'database', critical: true, run: () => new Promise(() => undefined) };
      const report = new ReadinessService([hanging]).report();
      await jest.advanceTimersByTimeAsync(2_000);
      await expect(report).resolves.toMatchObject({ status: 'unavailable' });
    } finally {
      jest.useRealTimers();
    }
  });

  it('asks once for questions that come together', async () => {
    const run = jest.fn(async () => undefined);
    const service = new ReadinessService([{ name: 'database', critical: true, run }]);
    await Promise.all([service.report(), service.report(), service.report()]);
    expect(run).toHaveBeenCalledTimes(1);
  });
});
