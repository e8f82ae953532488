import * as sdk from '@aws-sdk/client-s3';
import { S3_ACTIONS } from '../identity/s3-actions';
import { SIGNED_PARAMETERS } from '../identity/sigv2/string-to-sign';
import type { S3Error } from './s3-error';
import { parseS3Request } from './s3-request';
import { routeOf, S3_ROUTES } from './s3-routes';

/** Operations that AWS serves at other endpoints than a bucket's; their requests cannot be told apart here. */
const ELSEWHERE = new Set(['ListDirectoryBuckets', 'WriteGetObjectResponse']);

const INPUT = {
  Bucket: 'bucket',
  Key: 'key',
  Id: 'one',
  UploadId: 'upload',
  CopySource: 'bucket/key',
  RenameSource: '/bucket/key',
  AnnotationName: 'name',
  ObjectAttributes: ['ETag'],
  Delete: { Objects: [{ Key: 'key' }] },
  Tagging: { TagSet: [] },
};

interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly query: Record<string, string | null>;
  readonly headers: Record<string, string>;
}

type CommandClass = new (input: object) => Parameters<sdk.S3Client['send']>[0];

async function requestOfSdk(command: string): Promise<SentRequest> {
  let sent: SentRequest | undefined;
  const client = new sdk.S3Client({
    region: 'us-east-1',
    endpoint: 'http://localhost:1',
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: 'key', secretAccessKey: 'secret' },
    requestHandler: {
      handle: (request: SentRequest) => {
        sent = request;
        return Promise.reject(new Error('captured'));
      },
    } as never,
  });
  const Command = (sdk as unknown as Record<string, CommandClass>)[`${command}Command`] as CommandClass;
  const input =
    command === 'PutObjectTagging' || command === 'PutBucketTagging' ? INPUT : { ...INPUT, Tagging: undefined };
  const part = command.startsWith('UploadPart') ? { PartNumber: 1 } : {};
  await client.send(new Command({ ...input, ...part })).catch(() => undefined);
  if (sent === undefined) {
    throw new Error(`The SDK sent nothing for ${command}`);
  }
  return sent;
}

function routed(method: string, target: string, headers: Record<string, string> = {}): string {
  const request = parseS3Request(target, 'localhost', []);
  return routeOf(method, request, (name) => headers[name] !== undefined).operation;
}

function refusal(method: string, target: string): string {
  try {
    return routed(method, target);
  } catch (error) {
    return (error as S3Error).kind;
  }
}

describe('the routing table', () => {
  const commands = Object.keys(sdk)
    .filter((name) => name.endsWith('Command') && name !== '$Command')
    .map((name) => name.replace(/Command$/, ''));

  it('names every operation of the AWS SDK', () => {
    const known = new Set(S3_ROUTES.map((route) => route.operation));
    expect(commands.filter((command) => !known.has(command) && !ELSEWHERE.has(command))).toEqual([]);
  });

  it.each(commands.filter((command) => !ELSEWHERE.has(command)))(
    'recognises %s as the SDK sends it',
    async (command) => {
      const sent = await requestOfSdk(command);
      const query = Object.entries(sent.query).map(([name, value]) => `${name}=${value ?? ''}`);
      expect(routed(sent.method, `${sent.path}?${query.join('&')}`, sent.headers)).toBe(command);
    },
  );

  it('has no two rows for one shape', () => {
    const shapes = S3_ROUTES.map(({ method, resource, query, header, parameter }) =>
      [method, resource, query, header, parameter].join(' '),
    );
    expect(new Set(shapes).size).toBe(shapes.length);
  });

  it('never lets an unknown sub-resource fall through to a plain operation', () => {
    expect(refusal('PUT', '/bucket?foo-config')).toBe('NotImplemented');
    expect(refusal('PUT', '/bucket?foo-config=1')).toBe('NotImplemented');
    expect(refusal('DELETE', '/bucket?foo')).toBe('NotImplemented');
    expect(refusal('GET', '/bucket/key?foo')).toBe('NotImplemented');
    expect(refusal('PUT', '/bucket/key?torrent')).toBe('MethodNotAllowed');
    expect(refusal('DELETE', '/bucket?location')).toBe('MethodNotAllowed');
    expect(refusal('PATCH', '/bucket/key')).toBe('MethodNotAllowed');
    expect(refusal('OPTIONS', '/bucket/key')).toBe('AccessForbidden');
    expect(refusal('GET', '/bucket?acl&policy')).toBe('InvalidArgument');
  });

  it('takes versions where one can be named, and by a name that is not empty', () => {
    expect(refusal('PUT', '/bucket/key?versionId=null')).toBe('InvalidArgument');
    expect(refusal('PUT', '/bucket/key?versionId')).toBe('InvalidArgument');
    expect(refusal('PUT', '/bucket/key?partNumber=1&uploadId=u&versionId=null')).toBe('InvalidArgument');
    expect(refusal('POST', '/bucket/key?uploadId=u&versionId=null')).toBe('InvalidArgument');
    expect(refusal('GET', '/bucket/key?versionId=')).toBe('InvalidArgument');
    expect(refusal('DELETE', '/bucket/key?versionId=')).toBe('InvalidArgument');
    expect(routed('DELETE', '/bucket/key?versionId=null')).toBe('DeleteObject');
    expect(routed('PUT', '/bucket/key?acl&versionId=null')).toBe('PutObjectAcl');
  });

  it('asks for a key where parts and uploads are meant', () => {
    expect(refusal('GET', '/bucket?uploadId=u')).toBe('InvalidRequest');
    expect(refusal('POST', '/bucket?uploadId=u')).toBe('InvalidRequest');
    expect(refusal('DELETE', '/bucket?uploadId=u')).toBe('InvalidRequest');
    expect(refusal('PUT', '/bucket?partNumber=1')).toBe('InvalidRequest');
    expect(refusal('GET', '/bucket?partNumber=1')).toBe('InvalidRequest');
    expect(refusal('PUT', '/bucket?partNumber=1&uploadId=u')).toBe('MethodNotAllowed');
  });

  it.each(['ab', 'b', 'a%20bucket', 'b%C3%BCcket', 'a'.repeat(256)])('takes %s for no bucket', (name) => {
    expect(refusal('GET', `/${name}`)).toBe('InvalidBucketName');
    expect(refusal('PUT', `/${name}/key`)).toBe('InvalidBucketName');
    expect(routed('GET', '/Bucket_of.old')).toBe('ListObjects');
  });

  it('ignores parameters that only refine, and those of clients', () => {
    expect(routed('GET', '/bucket?prefix&delimiter=/')).toBe('ListObjects');
    expect(routed('GET', '/bucket/key?x-id=GetObject&versionId=null')).toBe('GetObject');
    expect(routed('GET', '/bucket/key?campaign=spring')).toBe('GetObject');
    expect(routed('PUT', '/bucket/key?X-Amz-Algorithm=AWS4-HMAC-SHA256')).toBe('PutObject');
    expect(routed('PUT', '/bucket/key?content-type=text/plain&Signature=x')).toBe('PutObject');
    expect(routed('PUT', '/bucket/key?campaign=spring&X-Amz-Signature=x')).toBe('PutObject');
    expect(refusal('PUT', '/bucket/key?foo&X-Amz-Signature=x')).toBe('NotImplemented');
    expect(refusal('PUT', '/bucket/key?renameObject&X-Amz-Signature=x')).not.toBe('PutObject');
  });

  it('has no selecting parameter that Signature Version 2 leaves unsigned, but for the one that every signer leaves', () => {
    const unsigned = S3_ROUTES.flatMap(({ query }) =>
      query === undefined || SIGNED_PARAMETERS.has(query) ? [] : [query],
    );
    expect(unsigned).toEqual(['list-type']);
  });

  it('asks for no action that bucket policies cannot name', () => {
    const unknown = S3_ROUTES.flatMap(({ actions }) => actions).filter(
      (action) => !S3_ACTIONS.has(action.replace(/^s3:/, '')),
    );
    expect(unknown).toEqual([]);
  });
});
