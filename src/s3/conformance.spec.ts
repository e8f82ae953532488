import { createHash, createHmac } from 'node:crypto';
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetBucketLoggingCommand,
  GetBucketRequestPaymentCommand,
  GetBucketTaggingCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  PutBucketLoggingCommand,
  PutBucketRequestPaymentCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  RestoreObjectCommand,
  UploadPartCommand,
  type LoggingEnabled,
  type PutObjectCommandInput,
  type S3Client,
  type S3ServiceException,
} from '@aws-sdk/client-s3';
import { signedExchange, type RawAnswer } from '../../test/support/raw-request';
import { startS3App, type S3App } from '../../test/support/s3-app';

const BUCKET = 'conformance';

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    const failure = error as S3ServiceException;
    return `${failure.$metadata.httpStatusCode} ${failure.name}`;
  }
}

const versioning = (status: string): string =>
  `<VersioningConfiguration><MfaDelete>Enabled</MfaDelete>${status}</VersioningConfiguration>`;

describe('what AWS documents', () => {
  let app: S3App;
  let s3: S3Client;

  beforeAll(async () => {
    app = await startS3App();
    s3 = app.s3();
    await s3.send(new CreateBucketCommand({ Bucket: BUCKET }));
  });
  afterAll(async () => {
    s3.destroy();
    await app.close();
  });

  const put = (Key: string, more: Partial<PutObjectCommandInput> = {}) =>
    s3.send(new PutObjectCommand({ Bucket: BUCKET, Key, Body: Key, ...more }));
  const get = (Key: string) => s3.send(new GetObjectCommand({ Bucket: BUCKET, Key }));
  const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key }));
  const raw = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<RawAnswer> =>
    signedExchange(app.target, method, path, headers, body);
  const code = (answer: RawAnswer): string => `${answer.status} ${/<Code>(.*)<\/Code>/.exec(answer.body)?.[1] ?? ''}`;

  describe('storage classes', () => {
    const restore = (Key: string, Days = 2): Promise<string> =>
      outcome(s3.send(new RestoreObjectCommand({ Bucket: BUCKET, Key, RestoreRequest: { Days } })));

    const placeOf = async (Key: string) => {
      const { StorageClass, Restore, WebsiteRedirectLocation } = await head(Key);
      return [StorageClass, Restore, WebsiteRedirectLocation];
    };

    it('that are archives are read after they have been restored', async () => {
      await put('archived', { StorageClass: 'GLACIER' });
      expect(await outcome(get('archived'))).toBe('403 InvalidObjectState');
      const copy = { Bucket: BUCKET, Key: 'copy', CopySource: `${BUCKET}/archived` };
      expect(await outcome(s3.send(new CopyObjectCommand(copy)))).toBe('403 InvalidObjectState');
      expect(await placeOf('archived')).toEqual(['GLACIER', undefined, undefined]);
      const document = '<RestoreRequest><Days>2</Days></RestoreRequest>';
      expect((await raw('POST', `/${BUCKET}/archived?restore`, {}, document)).status).toBe(202);
      expect((await raw('POST', `/${BUCKET}/archived?restore`, {}, document)).status).toBe(200);
      expect((await head('archived')).Restore).toMatch(/^ongoing-request="false", expiry-date=".* 00:00:00 GMT"$/);
      expect(await (await get('archived')).Body?.transformToString()).toBe('archived');
      await s3.send(new CopyObjectCommand(copy));
      expect(await placeOf('copy')).toEqual([undefined, undefined, undefined]);
    });

    it('that are none cannot be restored, and neither can what is not there', async () => {
      await put('standard');
      expect(await restore('standard')).toBe('403 InvalidObjectState');
      expect(await restore('missing')).toBe('404 NoSuchKey');
      expect(await restore('archived', 0)).toBe('400 MalformedXML');
    });

    it('and redirections of copies are those of the request', async () => {
      await put('source', { StorageClass: 'STANDARD_IA', WebsiteRedirectLocation: '/elsewhere' });
      const copy = { Bucket: BUCKET, Key: 'source', CopySource: `${BUCKET}/source` };
      expect(await outcome(s3.send(new CopyObjectCommand(copy)))).toBe('400 InvalidRequest');
      await s3.send(new CopyObjectCommand({ ...copy, StorageClass: 'ONEZONE_IA' }));
      expect(await placeOf('source')).toEqual(['ONEZONE_IA', undefined, undefined]);
      expect(await outcome(put('bad', { WebsiteRedirectLocation: 'ftp://example.org' }))).toBe(
        '400 InvalidRedirectLocation',
      );
      expect(await outcome(put('bad', { StorageClass: 'SNOW' }))).toBe('400 InvalidStorageClass');
    });
  });

  describe('checksums', () => {
    it.each(['sha512', 'md5', 'xxhash64', 'xxhash3', 'xxhash128'])(
      'by %s are computed, told and compared',
      async (name) => {
        const header = `x-amz-checksum-${name}`;
        const created = await raw('POST', `/${BUCKET}/${name}?uploads`, {
          'x-amz-checksum-algorithm': name.toUpperCase(),
        });
        expect(created.headers).toMatchObject({
          'x-amz-checksum-algorithm': name.toUpperCase(),
          'x-amz-checksum-type': 'COMPOSITE',
        });
        expect(code(await raw('PUT', `/${BUCKET}/${name}`, { [header]: 'AAAA' }, 'x'))).toBe('400 InvalidRequest');
      },
    );

    it('of whole objects come back as they were sent', async () => {
      const sha512 = createHash('sha512').update('body').digest('base64');
      const sent = { 'x-amz-checksum-sha512': sha512 };
      expect((await raw('PUT', `/${BUCKET}/hashed`, sent, 'body')).headers).toMatchObject(sent);
      expect((await raw('HEAD', `/${BUCKET}/hashed`, { 'x-amz-checksum-mode': 'ENABLED' })).headers).toMatchObject(
        sent,
      );
      expect(code(await raw('PUT', `/${BUCKET}/hashed`, sent, 'other'))).toBe('400 BadDigest');
    });

    it('of parts are needed where they make up that of the object', async () => {
      const Key = 'composite';
      const created = await raw('POST', `/${BUCKET}/${Key}?uploads`, { 'x-amz-checksum-algorithm': 'SHA256' });
      const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created.body)?.[1] ?? '';
      const part = `/${BUCKET}/${Key}?partNumber=1&uploadId=${uploadId}`;
      const answer = await raw('PUT', part, {}, 'part');
      expect(code(answer)).toBe('400 InvalidRequest');
      expect(answer.body).toContain('expected checksum Type: sha256, actual checksum Type: null');
      const sha256 = createHash('sha256').update('part').digest('base64');
      const { status, headers } = await raw('PUT', part, { 'x-amz-checksum-sha256': sha256 }, 'part');
      expect(status).toBe(200);

      const parts = `<Part><PartNumber>1</PartNumber><ETag>${String(headers['etag'])}</ETag><ChecksumSHA256>${sha256}</ChecksumSHA256></Part>`;
      const list = `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`;
      const completed = await raw('POST', `/${BUCKET}/${Key}?uploadId=${uploadId}`, {}, list);
      const whole = createHash('sha256').update(Buffer.from(sha256, 'base64')).digest('base64');
      expect(completed.body).toContain(`<ChecksumSHA256>${whole}-1</ChecksumSHA256>`);
      // AWS leaves the number of parts out here alone.
      const attributes = { 'x-amz-object-attributes': 'Checksum' };
      expect((await raw('GET', `/${BUCKET}/${Key}?attributes`, attributes)).body).toContain(
        `<Checksum><ChecksumSHA256>${whole}</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType></Checksum>`,
      );
    });
  });

  it('names no version of what is written while versioning is suspended', async () => {
    const Bucket = 'suspended';
    await s3.send(new CreateBucketCommand({ Bucket }));
    const set = (Status: 'Enabled' | 'Suspended') =>
      s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status } }));
    await set('Enabled');
    expect((await put('a', { Bucket })).VersionId).toMatch(/./);
    await set('Suspended');
    expect((await put('a', { Bucket })).VersionId).toBeUndefined();
    const VersionId = 'null';
    expect((await s3.send(new HeadObjectCommand({ Bucket, Key: 'a', VersionId }))).VersionId).toBe(VersionId);
  });

  it('asks for the customer key of an upload with a checksum until its end', async () => {
    const key = Buffer.alloc(32, 7);
    const prefix = 'x-amz-server-side-encryption-customer-';
    const customer = (bytes: Buffer) => ({
      [`${prefix}algorithm`]: 'AES256',
      [`${prefix}key`]: bytes.toString('base64'),
      [`${prefix}key-md5`]: createHash('md5').update(bytes).digest('base64'),
    });
    const path = `/${BUCKET}/customer`;
    const created = await raw('POST', `${path}?uploads`, { ...customer(key), 'x-amz-checksum-algorithm': 'CRC64NVME' });
    const uploadId = /<UploadId>(.*)<\/UploadId>/.exec(created.body)?.[1] ?? '';
    const part = await raw('PUT', `${path}?partNumber=1&uploadId=${uploadId}`, customer(key), 'part');
    const list = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>${String(part.headers['etag'])}</ETag></Part></CompleteMultipartUpload>`;
    const complete = (headers: Record<string, string>) => raw('POST', `${path}?uploadId=${uploadId}`, headers, list);
    expect(code(await complete({}))).toBe('400 InvalidRequest');
    expect(code(await complete(customer(Buffer.alloc(32, 8))))).toBe('400 InvalidRequest');
    expect((await complete(customer(key))).status).toBe(200);
  });

  it('has one winner among those who would write a key first, in one piece or in parts', async () => {
    const Key = 'contested';
    const upload = async (): Promise<string> => {
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }));
      const part = await s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: 'part' }));
      const MultipartUpload = { Parts: [{ PartNumber: 1, ETag: part.ETag }] };
      const complete = { Bucket: BUCKET, Key, UploadId, MultipartUpload, IfNoneMatch: '*' };
      return outcome(s3.send(new CompleteMultipartUploadCommand(complete)));
    };
    const racers = Array.from({ length: 4 }, () => [outcome(put(Key, { IfNoneMatch: '*' })), upload()]).flat();
    const outcomes = await Promise.all(racers);
    expect(outcomes.filter((each) => each === 'ok')).toHaveLength(1);
    expect(outcomes.filter((each) => each === '412 PreconditionFailed')).toHaveLength(7);
  });

  it('deletes of many only what still has the ETag it is named with', async () => {
    const { ETag } = await put('kept');
    await put('gone');
    const Objects = [
      { Key: 'kept', ETag: '"another"' },
      { Key: 'gone', ETag: (await head('gone')).ETag },
    ];
    const { Deleted, Errors } = await s3.send(new DeleteObjectsCommand({ Bucket: BUCKET, Delete: { Objects } }));
    expect(Deleted).toMatchObject([{ Key: 'gone' }]);
    expect(Errors).toMatchObject([{ Key: 'kept', Code: 'PreconditionFailed' }]);
    expect((await head('kept')).ETag).toBe(ETag);
  });

  it('takes tags and a region with a new bucket, and tells who and where it is', async () => {
    const create = (LocationConstraint?: string) =>
      s3.send(
        new CreateBucketCommand({
          Bucket: 'tagged',
          CreateBucketConfiguration: {
            LocationConstraint: LocationConstraint as 'eu-west-1' | undefined,
            Tags: [{ Key: 'team', Value: 'blue' }],
          },
        }),
      );
    expect(await outcome(create('eu-west-1'))).toBe('400 IllegalLocationConstraintException');
    expect(await outcome(create('atlantis'))).toBe('400 InvalidLocationConstraint');
    await create();
    const { TagSet } = await s3.send(new GetBucketTaggingCommand({ Bucket: 'tagged' }));
    expect(TagSet).toEqual([{ Key: 'team', Value: 'blue' }]);
    expect(await s3.send(new HeadBucketCommand({ Bucket: 'tagged' }))).toMatchObject({
      BucketArn: 'arn:aws:s3:::tagged',
      BucketRegion: 'us-east-1',
    });
  });

  it('remembers who is to pay', async () => {
    const payer = async () => (await s3.send(new GetBucketRequestPaymentCommand({ Bucket: BUCKET }))).Payer;
    expect(await payer()).toBe('BucketOwner');
    const RequestPaymentConfiguration = { Payer: 'Requester' } as const;
    await s3.send(new PutBucketRequestPaymentCommand({ Bucket: BUCKET, RequestPaymentConfiguration }));
    expect(await payer()).toBe('Requester');
  });

  it('keeps how the keys of logs are made, plainly unless told', async () => {
    const set = (more: Partial<LoggingEnabled>) =>
      s3.send(
        new PutBucketLoggingCommand({
          Bucket: BUCKET,
          BucketLoggingStatus: { LoggingEnabled: { TargetBucket: BUCKET, TargetPrefix: 'log/', ...more } },
        }),
      );
    const format = async () =>
      (await s3.send(new GetBucketLoggingCommand({ Bucket: BUCKET }))).LoggingEnabled?.TargetObjectKeyFormat;
    const partitioned = { PartitionedPrefix: { PartitionDateSource: 'DeliveryTime' as const } };
    await set({ TargetObjectKeyFormat: partitioned });
    expect(await format()).toEqual(partitioned);
    await set({});
    expect(await format()).toHaveProperty('SimplePrefix');
    const wrong = { PartitionedPrefix: { PartitionDateSource: 'tomorrow' as 'EventTime' } };
    expect(await outcome(set({ TargetObjectKeyFormat: wrong }))).toBe('400 MalformedXML');
    expect(await outcome(set({ TargetObjectKeyFormat: {} }))).toBe('400 MalformedXML');
  });

  it.each<[string, string, string, Record<string, string>, string | undefined]>([
    ['400 InvalidRequest', 'GET', `/${BUCKET}/standard?attributes`, {}, undefined],
    ['501 NotImplemented', 'PUT', `/${BUCKET}/x`, { 'if-match': '"a"', 'if-none-match': '*' }, 'x'],
    ['400 InvalidArgument', 'PUT', `/${BUCKET}/x`, { 'x-amz-tagging': '=value' }, 'x'],
    ['400 InvalidArgument', 'PUT', `/${BUCKET}/x`, { 'x-amz-copy-source': 'no_/bucket-!/x' }, undefined],
    ['412 PreconditionFailed', 'POST', `/${BUCKET}`, { 'content-type': 'text/plain' }, 'key=value'],
    ['400 InvalidArgument', 'PUT', `/${BUCKET}/x?partNumber=1`, {}, 'part'],
    ['501 NotImplemented', 'DELETE', `/${BUCKET}/standard`, { 'x-amz-if-match-size': '1' }, undefined],
    ['501 NotImplemented', 'PUT', `/${BUCKET}/standard`, { 'x-amz-write-offset-bytes': '1' }, 'appended'],
    ['501 NotImplemented', 'GET', `/${BUCKET}?inventory`, {}, undefined],
    ['501 NotImplemented', 'PUT', `/${BUCKET}?website`, {}, '<WebsiteConfiguration/>'],
    ['501 NotImplemented', 'PUT', `/${BUCKET}?replication`, {}, '<ReplicationConfiguration/>'],
    ['501 NotImplemented', 'POST', `/${BUCKET}/standard?select&select-type=2`, {}, '<SelectObjectContentRequest/>'],
    ['501 NotImplemented', 'GET', `/${BUCKET}/standard?torrent`, {}, undefined],
    ['404 NoSuchBucket', 'PUT', '/not-there?cors', {}, '<CORSConfiguration/>'],
    ['404 NoSuchBucket', 'PUT', '/not-there?policy', {}, 'no policy'],
    ['404 NoSuchBucket', 'PUT', '/not-there/key?retention', {}, ''],
    ['400 MalformedXML', 'PUT', `/${BUCKET}/standard?legal-hold`, {}, ''],
    ['400 MalformedXML', 'PUT', `/${BUCKET}/standard?retention`, {}, ''],
    ['400 MalformedXML', 'PUT', `/${BUCKET}?cors`, {}, '<CORSConfiguration/>'],
    ['400 IllegalVersioningConfigurationException', 'PUT', `/${BUCKET}?versioning`, {}, versioning('')],
    ['400 MalformedXML', 'PUT', `/${BUCKET}?versioning`, {}, versioning('<Status>On</Status>')],
    ['501 NotImplemented', 'PUT', `/${BUCKET}?versioning`, {}, versioning('<Status>Enabled</Status>')],
    ['501 NotImplemented', 'PUT', `/${BUCKET}?inventory&id=a`, {}, '<InventoryConfiguration/>'],
  ])('answers %s to %s %s %j', async (expected, method, path, headers, body) => {
    expect(code(await raw(method, path, headers, body))).toBe(expected);
  });

  it.each<[string, string, string, Record<string, string>, string]>([
    ['There is no such thing as the ?versions sub-resource for a key', 'GET', '/x?versions', {}, ''],
    ['Key is not expected for the GET method ?uploads subresource', 'GET', '/x?uploads', {}, ''],
    ['You can only specify a copy source header for copy requests.', 'GET', '/x', { 'x-amz-copy-source': 'b/k' }, ''],
    ['Invalid copy source encoding', 'PUT', '/x', { 'x-amz-copy-source': 'bucket/%ZZ' }, ''],
    ['Invalid copy source bucket name', 'PUT', '/x', { 'x-amz-copy-source': '192.168.1.1/x' }, ''],
    ['Invalid copy source object key', 'PUT', '/x', { 'x-amz-copy-source': 'bucket/' }, ''],
    ['Request body is empty.', 'PUT', '?object-lock', {}, ''],
    ['Argument maxKeys must be an integer between 0 and 2147483647', 'GET', '?max-keys=-5', {}, ''],
    ['Object tags cannot be greater than 10', 'PUT', '/x', { 'x-amz-tagging': [...'abcdefghijk'].join('&') }, ''],
    [
      'Invalid Base64 or multiple checksums present in request',
      'POST',
      '/x?uploadId=none',
      {},
      '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>no</ChecksumCRC32></Part></CompleteMultipartUpload>',
    ],
    [
      'PartNumber must be &gt;= 1',
      'POST',
      '/x?uploadId=none',
      {},
      '<CompleteMultipartUpload><Part><PartNumber>0</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>',
    ],
  ])('says %s', async (message, method, path, headers, body) => {
    const answer = await raw(method, `/${BUCKET}${path}`, headers, body);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain(`<Message>${message}</Message>`);
  });

  it('asks for a part number beside an upload, and for a boundary of forms', async () => {
    const part = await raw('PUT', `/${BUCKET}/x?uploadId=none`, {}, 'part');
    expect([code(part), part.headers['allow']]).toEqual(['405 MethodNotAllowed', 'DELETE, POST, GET']);
    const form = await raw('POST', `/${BUCKET}`, { 'content-type': 'multipart/form-data' }, 'no boundary');
    expect(code(form)).toBe('400 MalformedPOSTRequest');
  });

  it('looks at a form, its signature and its policy before the bucket', async () => {
    const post = async (fields: Record<string, string>): Promise<string> => {
      const body = new FormData();
      Object.entries(fields).forEach(([name, value]) => body.append(name, value));
      body.append('file', new Blob(['x']));
      const answer = await fetch(`${app.target.endpoint}/not-there`, { method: 'POST', body });
      return `${answer.status} ${/<Code>(.*)<\/Code>/.exec(await answer.text())?.[1]}`;
    };
    const policy = Buffer.from('{"expiration":"2000-01-01T00:00:00Z","conditions":[]}').toString('base64');
    const sign = (text: string): Record<string, string> => ({
      AWSAccessKeyId: app.target.accessKeyId,
      policy: text,
      signature: createHmac('sha1', app.target.secretAccessKey).update(text).digest('base64'),
    });
    expect(await post({})).toBe('400 InvalidArgument');
    expect(await post({ key: 'k', policy, signature: 'x' })).toBe('400 InvalidArgument');
    expect(await post({ key: 'k', signature: 'x', AWSAccessKeyId: 'x' })).toBe('400 InvalidArgument');
    expect(await post({ key: 'k', ...sign(policy), signature: 'x' })).toBe('403 SignatureDoesNotMatch');
    expect(await post({ key: 'k', ...sign('e30=') })).toBe('400 InvalidPolicyDocument');
    expect(await post({ key: 'k', ...sign(policy) })).toBe('403 AccessDenied');
    expect(await post({ key: 'k' })).toBe('404 NoSuchBucket');
  });

  it('refuses preflights that lack or misspell what they ask for, whatever the bucket', async () => {
    const preflight = async (headers: Record<string, string>) => {
      const answer = await fetch(`${app.target.endpoint}/not-there`, { method: 'OPTIONS', headers });
      return [answer.status, /<Message>(.*)<\/Message>/.exec(await answer.text())?.[1]?.replaceAll('&quot;', '"')];
    };
    expect(await preflight({ origin: '' })).toEqual([400, 'Insufficient information. Origin request header needed.']);
    const origin = 'https://www.example.org';
    expect(await preflight({ origin, 'access-control-request-method': 'get' })).toEqual([
      400,
      'Invalid Access-Control-Request-Method: get',
    ]);
    expect(await preflight({ origin, 'access-control-request-method': 'GET' })).toEqual([
      403,
      'CORSResponse: Bucket not found',
    ]);
    expect(await preflight({ origin, 'access-control-request-method': '' })).toEqual([
      403,
      'CORSResponse: Bucket not found',
    ]);
    const asking = (names: string) =>
      preflight({ origin, 'access-control-request-method': 'GET', 'access-control-request-headers': names });
    for (const wrong of [
      'in valid',
      'X(Custom)',
      'X:Y',
      ' Bad/Header',
      'X[Key]',
      'Bad=Name',
      'bad@char',
      'tab\tchar',
    ]) {
      expect(await asking(`X-Amz-Date,${wrong},Range`)).toEqual([
        400,
        `Access-Control-Request-Headers "${wrong}" contains invalid character.`,
      ]);
    }
    expect(await asking(Buffer.from('Emoji😀', 'utf8').toString('latin1'))).toEqual([
      400,
      'Access-Control-Request-Headers "Emoji😀" contains invalid character.',
    ]);
    expect(await asking('X-Amz-Date, , range,')).toEqual([403, 'CORSResponse: Bucket not found']);
  });

  it('reads an empty object by its last bytes, and ignores a range with blanks', async () => {
    await put('empty', { Body: Buffer.alloc(0), ContentLength: 0 });
    expect(await raw('GET', `/${BUCKET}/empty`, { range: 'bytes=-5' })).toMatchObject({ status: 200, body: '' });
    expect(code(await raw('GET', `/${BUCKET}/empty`, { range: 'bytes=0-' }))).toBe('416 InvalidRange');
    expect((await raw('GET', `/${BUCKET}/standard`, { range: 'bytes= -1' })).status).toBe(200);
  });
});
