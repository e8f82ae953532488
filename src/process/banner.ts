import type { Settings } from '../settings/settings';

/** What the first screen needs to know of the settings. */
export type BannerSettings = Pick<Settings, 'host' | 'port' | 'tls' | 'region'>;

/** What the first screen needs to know of the root credentials. */
export interface BannerCredentials {
  readonly accessKeyId: string;
  readonly secretKey: { reveal(): string };
  /** True at the one start that made them. */
  readonly generated: boolean;
}

/** The text printed when the store is ready: where it is, how to log in, and three lines that work when pasted. */
export function banner(settings: BannerSettings, credentials: BannerCredentials, startedInMs: number): string {
  const endpoint = endpointUrl(settings);
  const secret = credentials.generated ? credentials.secretKey.reveal() : '<your secret key>';
  const lines = [
    '',
    `Strongroom is ready (${(startedInMs / 1000).toFixed(1)} s)`,
    '',
    `  S3 endpoint   ${endpoint}`,
    `  Admin docs    ${endpoint}/docs`,
    `  Access key    ${credentials.accessKeyId}`,
    credentials.generated
      ? `  Secret key    ${secret}   (shown this once; keep it)`
      : '  Secret key    as set, or as printed at the first start',
    '',
    'Try it:',
    '',
    `  export AWS_ACCESS_KEY_ID=${credentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${secret} AWS_DEFAULT_REGION=${settings.region}`,
    `  aws --endpoint-url ${endpoint} s3 mb s3://demo`,
    `  aws --endpoint-url ${endpoint} s3 cp package.json s3://demo/ --sse aws:kms`,
    '',
    '',
  ];
  return lines.join('\n');
}

/** The address a client on this machine uses. */
export function endpointUrl(settings: Pick<Settings, 'host' | 'port' | 'tls'>): string {
  const everywhere = settings.host === '' || settings.host === '0.0.0.0' || settings.host === '::';
  const host = everywhere ? '127.0.0.1' : settings.host.includes(':') ? `[${settings.host}]` : settings.host;
  return `${settings.tls === undefined ? 'http' : 'https'}://${host}:${settings.port}`;
}
