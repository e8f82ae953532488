import type { KmsTargetStatus } from '../kms/kms-target';
import { kmsCheck } from './readiness-checks';

function target(
  kms: string,
  health: KmsTargetStatus['health'],
  proof?: 'passing' | 'failing' | 'unknown',
): KmsTargetStatus {
  const [type = '', name = ''] = kms.split(':');
  const lastError = health === 'offline' ? 'connect ECONNREFUSED 10.0.0.7:8200' : undefined;
  return {
    kms,
    type,
    target: name,
    isDefault: false,
    health,
    breaker: 'closed',
    defaultKeyId: 'k',
    version: 1,
    lastError,
    probe: proof && { state: proof, consecutiveFailures: 0 },
  } as never;
}

describe('kmsCheck', () => {
  it('names every target and says which does not answer, but not why', async () => {
    const check = kmsCheck({
      status: () => [
        target('builtin:default', 'online'),
        target('vault:berlin', 'offline'),
        target('vault:oslo', 'unknown'),
      ],
    });
    expect(check.critical).toBe(false);
    const states = await check.run();
    expect(states).toEqual({
      'kms builtin:default': { status: 'up' },
      'kms vault:berlin': { status: 'down', reason: 'does not answer' },
      'kms vault:oslo': { status: 'up' },
    });
    expect(JSON.stringify(states)).not.toContain('10.0.0.7');
  });

  it('goes by the proof of the key while that is fresh', async () => {
    const check = kmsCheck({
      status: () => [
        target('vault:lost-one-call', 'offline', 'passing'),
        target('vault:key-gone', 'online', 'failing'),
        target('vault:stale', 'offline', 'unknown'),
      ],
    });
    expect(await check.run()).toMatchObject({
      'kms vault:lost-one-call': { status: 'up' },
      'kms vault:key-gone': { status: 'down' },
      'kms vault:stale': { status: 'down' },
    });
  });
});
