import { generate } from 'selfsigned';

const DAY_MS = 86_400_000;

/**
 * A server certificate that is its own authority, for 127.0.0.1 and localhost; PEM.
 * @param period when it is valid; a year from now unless given
 */
export async function testCertificate(period?: { from: Date; until: Date }): Promise<{ cert: string; key: string }> {
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }], {
    ...(period === undefined ? {} : { notBeforeDate: period.from, notAfterDate: period.until }),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { cert, key };
}

/** The same, but run out since yesterday. */
export function expiredCertificate(): Promise<{ cert: string; key: string }> {
  const now = Date.now();
  return testCertificate({ from: new Date(now - 30 * DAY_MS), until: new Date(now - DAY_MS) });
}
