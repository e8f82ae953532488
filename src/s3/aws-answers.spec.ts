import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketEncryptionCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { signedExchange, type RawAnswer } from '../../test/support/raw-request';
import { startS3App, type S3App } from '../../test/support/s3-app';

const BUCKET = 'answers';

describe('answers that AWS gives', () => {
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

  const put = (Key: string, Bucket = BUCKET) => s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  const raw = (method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<RawAnswer> =>
    signedExchange(app.target, method, path, headers, body);
  /** Status and the named elements of an error. */
  const told = (answer: RawAnswer, ...names: string[]): (string | undefined)[] => [
    String(answer.status),
    ...['Code', ...names].map((name) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer.body)?.[1]),
  ];
  const begin = async (Key: string): Promise<string> =>
    String((await s3.send(new CreateMultipartUploadCommand({ Bucket: BUCKET, Key }))).UploadId);
  const part = (Key: string, UploadId: string) =>
    s3.send(new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: 'part' }));

  it('list uploads page by page, past common prefixes', async () => {
    const Bucket = 'uploads-by-page';
    await s3.send(new CreateBucketCommand({ Bucket }));
    const keys = ['a/1', 'a/2', 'b', 'b', 'c d/1', 'e'];
    for (const Key of keys) {
      await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    }
    for (const MaxUploads of [1, 2, 3, 4]) {
      const listed: string[] = [];
      let marker: { KeyMarker?: string; UploadIdMarker?: string } = {};
      for (let more = true; more;) {
        const page = await s3.send(
          new ListMultipartUploadsCommand({ Bucket, Delimiter: '/', MaxUploads, EncodingType: 'url', ...marker }),
        );
        const prefixes = (page.CommonPrefixes ?? []).map(({ Prefix }) => decodeURIComponent(String(Prefix)));
        const uploads = (page.Uploads ?? []).map(({ Key }) => String(Key));
        listed.push(...[...prefixes, ...uploads].sort());
        const next = decodeURIComponent(page.NextKeyMarker ?? '');
        if (page.IsTruncated === true) {
          expect(next).toBe(listed.at(-1));
          expect(page.NextUploadIdMarker === '').toBe(next.endsWith('/'));
        }
        marker = { KeyMarker: next, UploadIdMarker: page.NextUploadIdMarker };
        more = page.IsTruncated === true;
      }
      expect(listed).toEqual(['a/', 'b', 'b', 'c d/', 'e']);
    }
  });

  it('name the condition that failed, and nothing else', async () => {
    await put('conditional');
    const path = `/${BUCKET}/conditional`;
    const etag = { 'x-amz-copy-source': path, 'x-amz-copy-source-if-match': '"other"' };
    for (const [answer, condition] of [
      [await raw('PUT', path, { 'if-none-match': '*' }), 'If-None-Match'],
      [await raw('PUT', path, { 'if-match': '"other"' }), 'If-Match'],
      [await raw('GET', path, { 'if-match': '"other"' }), 'If-Match'],
      [await raw('GET', path, { 'if-unmodified-since': 'Mon, 01 Jan 2001 00:00:00 GMT' }), 'If-Unmodified-Since'],
      [await raw('PUT', `/${BUCKET}/copy`, etag), 'x-amz-copy-source-If-Match'],
    ] as const) {
      expect(told(answer, 'Condition', 'Key', 'BucketName')).toEqual([
        '412',
        'PreconditionFailed',
        condition,
        undefined,
        undefined,
      ]);
    }
    expect(told(await raw('PUT', path, { 'if-match': 'a', 'if-none-match': '*' }), 'Header')).toEqual([
      '501',
      'NotImplemented',
      'If-Match,If-None-Match',
    ]);
  });

  it('pass over times of change that are still to come', async () => {
    await put('future');
    const future = new Date(Date.now() + 86_400_000);
    await expect(
      s3.send(new GetObjectCommand({ Bucket: BUCKET, Key: 'future', IfModifiedSince: future })),
    ).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
    await expect(
      s3.send(
        new CopyObjectCommand({
          Bucket: BUCKET,
          Key: 'copied',
          CopySource: `${BUCKET}/future`,
          CopySourceIfModifiedSince: future,
        }),
      ),
    ).resolves.toMatchObject({ $metadata: { httpStatusCode: 200 } });
  });

  it('pass over metadata that a copy does not take', async () => {
    await put('described');
    const headers = { 'x-amz-copy-source': `${BUCKET}/described`, 'x-amz-meta-long': 'v'.repeat(2048) };
    await expect(raw('PUT', `/${BUCKET}/copied`, headers)).resolves.toMatchObject({ status: 200 });
    const replacing = { ...headers, 'x-amz-metadata-directive': 'REPLACE' };
    expect(told(await raw('PUT', `/${BUCKET}/copied`, replacing), 'MaxSizeAllowed')).toEqual([
      '400',
      'MetadataTooLarge',
      '2048',
    ]);
  });

  it('look for the bucket before the targets of its notifications', async () => {
    const webhook = '<Queue>arn:minio:sqs::nowhere:webhook</Queue><Event>s3:ObjectCreated:*</Event>';
    const document = `<NotificationConfiguration><QueueConfiguration>${webhook}</QueueConfiguration></NotificationConfiguration>`;
    expect(told(await raw('PUT', '/not-there?notification', {}, document))).toEqual(['404', 'NoSuchBucket']);
    expect(told(await raw('PUT', `/${BUCKET}?notification`, {}, document))).toEqual(['400', 'InvalidArgument']);
  });

  it('give listed times in whole seconds', async () => {
    await put('timed');
    const listing = await raw('GET', `/${BUCKET}?list-type=2&prefix=timed`);
    expect(listing.body).toMatch(/<LastModified>[^<]*\.000Z<\/LastModified>/);
    const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: BUCKET, Prefix: 'timed' }));
    const { LastModified } = await s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'timed' }));
    expect(Contents?.[0]?.LastModified).toEqual(LastModified);
  });

  it('name ARN and region of buckets, and refuse regions that are none', async () => {
    const { Buckets } = await s3.send(new ListBucketsCommand({ Prefix: BUCKET }));
    expect(Buckets).toMatchObject([{ BucketArn: `arn:aws:s3:::${BUCKET}`, BucketRegion: 'us-east-1' }]);
    expect((await s3.send(new ListBucketsCommand({ BucketRegion: 'eu-west-1' }))).Buckets ?? []).toEqual([]);
    expect(told(await raw('GET', '/?bucket-region=nowhere'), 'ArgumentName')).toEqual([
      '400',
      'InvalidArgument',
      'bucket-region',
    ]);
    await expect(raw('GET', '/?continuation-token=')).resolves.toMatchObject({ status: 200 });
  });

  it('show checksums of parts only where the client has chosen an algorithm', async () => {
    const plain = app.s3({ requestChecksumCalculation: 'WHEN_REQUIRED' });
    const of = async (Key: string, ChecksumAlgorithm?: 'CRC32C') => {
      const { UploadId } = await plain.send(
        new CreateMultipartUploadCommand({ Bucket: BUCKET, Key, ChecksumAlgorithm }),
      );
      await plain.send(
        new UploadPartCommand({ Bucket: BUCKET, Key, UploadId, PartNumber: 1, Body: 'x', ChecksumAlgorithm }),
      );
      return (await plain.send(new ListPartsCommand({ Bucket: BUCKET, Key, UploadId }))).Parts?.[0];
    };
    expect(await of('unchosen')).not.toHaveProperty('ChecksumCRC64NVME');
    expect(await of('chosen', 'CRC32C')).toHaveProperty('ChecksumCRC32C');
    plain.destroy();
  });

  it('say at the end of a list of uploads where it ended, and refuse the marker of another key', async () => {
    const first = await begin('uploads/a');
    const second = await begin('uploads/b');
    const page = await s3.send(new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: 'uploads/' }));
    expect(page).toMatchObject({ IsTruncated: false, NextKeyMarker: 'uploads/b', NextUploadIdMarker: second });
    const after = (marker: string) =>
      raw('GET', `/${BUCKET}?uploads&prefix=uploads/&key-marker=uploads/a&upload-id-marker=${marker}`);
    expect(told(await after(second), 'ArgumentName')).toEqual(['400', 'InvalidArgument', 'upload-id-marker']);
    expect((await after(first)).body).toContain(second);
    expect((await after('gone')).status).toBe(200);
  });

  it('list uploads on behind a page that ends with a common prefix', async () => {
    await Promise.all(['paged/a', 'paged/b/1', 'paged/c'].map(begin));
    const list = (KeyMarker?: string, UploadIdMarker?: string) =>
      s3.send(
        new ListMultipartUploadsCommand({
          Bucket: BUCKET,
          Prefix: 'paged/',
          Delimiter: '/',
          MaxUploads: 2,
          KeyMarker,
          UploadIdMarker,
        }),
      );
    const page = await list();
    expect(page).toMatchObject({ IsTruncated: true, NextKeyMarker: 'paged/b/', NextUploadIdMarker: '' });
    const { Uploads, IsTruncated } = await list(page.NextKeyMarker, page.NextUploadIdMarker);
    expect(Uploads?.map(({ Key }) => Key)).toEqual(['paged/c']);
    expect(IsTruncated).toBe(false);
  });

  it('tell an unknown upload from one without parts', async () => {
    const uploadId = await begin('no-parts');
    const complete = (id: string) => raw('POST', `/${BUCKET}/no-parts?uploadId=${id}`);
    expect(told(await complete('unknown'))).toEqual(['404', 'NoSuchUpload']);
    expect(told(await complete(uploadId))).toEqual(['400', 'MalformedXML']);
  });

  it('are a conflict when a key was written while an upload with a condition ran', async () => {
    await put('disturbed');
    const UploadId = await begin('disturbed');
    const { ETag } = await part('disturbed', UploadId);
    const { ETag: IfMatch } = await put('disturbed');
    const complete = (id: string, etag: string | undefined) =>
      s3.send(
        new CompleteMultipartUploadCommand({
          Bucket: BUCKET,
          Key: 'disturbed',
          UploadId: id,
          IfMatch,
          MultipartUpload: { Parts: [{ PartNumber: 1, ETag: etag }] },
        }),
      );
    await expect(complete(UploadId, ETag)).rejects.toMatchObject({
      name: 'ConditionalRequestConflict',
      $metadata: { httpStatusCode: 409 },
    });
    const again = await begin('disturbed');
    await expect(complete(again, (await part('disturbed', again)).ETag)).resolves.toMatchObject({
      $metadata: { httpStatusCode: 200 },
    });
  });

  describe('about versions', () => {
    let bucket: string;
    let made = 0;
    const setVersioning = (Status: 'Enabled' | 'Suspended') =>
      s3.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status } }));

    beforeEach(async () => {
      bucket = `answers-versioned-${++made}`;
      await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    });

    it('name the null version once a bucket has had versioning', async () => {
      const get = () => s3.send(new GetObjectCommand({ Bucket: bucket, Key: 'old', VersionId: 'null' }));
      await put('old', bucket);
      expect((await get()).VersionId).toBeUndefined();
      await setVersioning('Suspended');
      expect((await get()).VersionId).toBe('null');
      expect((await put('old', bucket)).VersionId).toBeUndefined();
      const copy = new CopyObjectCommand({ Bucket: bucket, Key: 'copy', CopySource: `${bucket}/old` });
      expect((await s3.send(copy)).VersionId).toBe('null');
    });

    it('refuse tags of a delete marker with the method that was used', async () => {
      await setVersioning('Enabled');
      await put('marked', bucket);
      await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'marked' }));
      for (const method of ['GET', 'DELETE']) {
        expect(told(await raw(method, `/${bucket}/marked?tagging`), 'Method', 'ResourceType')).toEqual([
          '405',
          'MethodNotAllowed',
          method,
          'DeleteMarker',
        ]);
      }
      expect(told(await raw('GET', `/${bucket}/marked`))).toEqual(['404', 'NoSuchKey']);
    });

    it('refuse to copy a delete marker', async () => {
      await setVersioning('Enabled');
      const { VersionId } = await put('marked', bucket);
      const marker = await s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'marked' }));
      const upload = await s3.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: 'parts' }));
      for (const target of ['copy', `parts?partNumber=1&uploadId=${String(upload.UploadId)}`]) {
        const copy = (version: string) =>
          raw('PUT', `/${bucket}/${target}`, { 'x-amz-copy-source': `${bucket}/marked${version}` });
        expect(told(await copy(`?versionId=${String(marker.VersionId)}`), 'Message')).toEqual([
          '400',
          'InvalidRequest',
          'The source of a copy request may not specifically refer to a delete marker by version id.',
        ]);
        expect(told(await copy(''))).toEqual(['404', 'NoSuchKey']);
        expect((await copy(`?versionId=${String(VersionId)}`)).status).toBe(200);
      }
    });

    it('say that a bucket with versions is not empty, and that a state of versioning is missing', async () => {
      await setVersioning('Enabled');
      await put('version', bucket);
      expect(told(await raw('DELETE', `/${bucket}`), 'Message')).toEqual([
        '409',
        'BucketNotEmpty',
        'The bucket you tried to delete is not empty. You must delete all versions in the bucket.',
      ]);
      expect(told(await raw('PUT', `/${bucket}?versioning`, {}, '<VersioningConfiguration/>'))).toEqual([
        '400',
        'IllegalVersioningConfigurationException',
      ]);
    });

    it('tell of versions that cannot be in a batch as of any that is not there', async () => {
      const body = '<Delete><Object><Key>a</Key><VersionId>impossible</VersionId></Object></Delete>';
      expect(told(await raw('POST', `/${bucket}?delete`, {}, body))).toEqual(['200', 'NoSuchVersion']);
      expect(told(await raw('DELETE', `/${bucket}/a?versionId=impossible`))).toEqual(['400', 'InvalidArgument']);
    });
  });

  it('refuse to bypass a lock where there is none, but for batches', async () => {
    const bypass = { 'x-amz-bypass-governance-retention': 'true' };
    expect(told(await raw('DELETE', `/${BUCKET}/any`, bypass), 'ArgumentName')).toEqual([
      '400',
      'InvalidArgument',
      'x-amz-bypass-governance-retention',
    ]);
    const batch = '<Delete><Object><Key>any</Key></Object></Delete>';
    expect((await raw('POST', `/${BUCKET}?delete`, bypass, batch)).status).toBe(200);
  });

  it('keep tags of AWS from everybody else, and take an empty set for none', async () => {
    const set = (tags: string) => raw('PUT', `/${BUCKET}?tagging`, {}, `<Tagging><TagSet>${tags}</TagSet></Tagging>`);
    expect(told(await set('<Tag><Key>aws:a</Key><Value>1</Value></Tag>'), 'TagKey')).toEqual([
      '400',
      'InvalidTag',
      'aws:a',
    ]);
    await s3.send(new PutBucketTaggingCommand({ Bucket: BUCKET, Tagging: { TagSet: [{ Key: 'a', Value: '1' }] } }));
    expect((await set('')).status).toBe(200);
    expect(told(await raw('GET', `/${BUCKET}?tagging`))).toEqual(['404', 'NoSuchTagSet']);
    const again = { Bucket: BUCKET, CreateBucketConfiguration: { Tags: [{ Key: 'b', Value: '2' }] } };
    await expect(s3.send(new CreateBucketCommand(again))).rejects.toMatchObject({ name: 'BucketAlreadyOwnedByYou' });
  });

  it('take the account for the owner of a bucket, and refuse owners that cannot be', async () => {
    const owned = (owner: string) => raw('GET', `/${BUCKET}?location`, { 'x-amz-expected-bucket-owner': owner });
    expect((await owned('000000000000')).status).toBe(200);
    expect(told(await owned('111111111111'))).toEqual(['403', 'AccessDenied']);
    expect(told(await owned('somebody'))).toEqual(['400', 'InvalidBucketOwnerAWSAccountID']);
  });

  it('let a rule of encryption count as a change, and name the key that a rule names', async () => {
    const Bucket = 'answers-ruled';
    await s3.send(new CreateBucketCommand({ Bucket }));
    await put('self', Bucket);
    const copy = new CopyObjectCommand({ Bucket, Key: 'self', CopySource: `${Bucket}/self` });
    await expect(s3.send(copy)).rejects.toMatchObject({ name: 'InvalidRequest' });
    const rule = { SSEAlgorithm: 'aws:kms' } as const;
    const Rules = [{ ApplyServerSideEncryptionByDefault: rule, BucketKeyEnabled: true }];
    await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
    const kept = await s3.send(new GetBucketEncryptionCommand({ Bucket }));
    expect(kept.ServerSideEncryptionConfiguration?.Rules?.[0]?.ApplyServerSideEncryptionByDefault).toEqual(rule);
    expect(await s3.send(copy)).toMatchObject({ ServerSideEncryption: 'aws:kms' });
  });

  it('tell when an object expires on every kind of write', async () => {
    await s3.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: BUCKET,
        LifecycleConfiguration: {
          Rules: [{ ID: 'week', Status: 'Enabled', Filter: { Prefix: 'expiring' }, Expiration: { Days: 7 } }],
        },
      }),
    );
    await put('expiring');
    const copy = new CopyObjectCommand({ Bucket: BUCKET, Key: 'expiring-copy', CopySource: `${BUCKET}/expiring` });
    expect((await s3.send(copy)).Expiration).toContain('rule-id="week"');
    const head = (VersionId?: string) => s3.send(new HeadObjectCommand({ Bucket: BUCKET, Key: 'expiring', VersionId }));
    expect((await head()).Expiration).toContain('rule-id="week"');
    expect((await head('null')).Expiration).toBeUndefined();
    const UploadId = await begin('expiring-parts');
    const { ETag } = await part('expiring-parts', UploadId);
    const complete = new CompleteMultipartUploadCommand({
      Bucket: BUCKET,
      Key: 'expiring-parts',
      UploadId,
      MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] },
    });
    expect((await s3.send(complete)).Expiration).toContain('rule-id="week"');
  });
});
