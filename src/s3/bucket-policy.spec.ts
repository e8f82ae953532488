import { CreateBucketCommand, GetBucketPolicyCommand } from '@aws-sdk/client-s3';
import { signedExchange } from '../../test/support/raw-request';
import { startS3App, type S3App } from '../../test/support/s3-app';
import { createS3User } from '../../test/support/s3-users';

const BUCKET = 'guarded';
const ACCEPTED = ['204', undefined, undefined, undefined];

describe('PutBucketPolicy', () => {
  let app: S3App;
  let aliceId: string;

  beforeAll(async () => {
    app = await startS3App();
    const root = app.s3();
    await root.send(new CreateBucketCommand({ Bucket: BUCKET }));
    root.destroy();
    const alice = await createS3User(app, 'alice');
    alice.client.destroy();
    aliceId = alice.ownerId;
  });
  afterAll(() => app.close());

  /** Status, code, message and detail of the answer. */
  const put = async (body: string): Promise<(string | undefined)[]> => {
    const answer = await signedExchange(app.target, 'PUT', `/${BUCKET}?policy`, {}, body);
    const elements = ['Code', 'Message', 'Detail'].map((name) =>
      new RegExp(`<${name}>([^<]*)</${name}>`).exec(answer.body)?.[1]?.replaceAll('&apos;', "'"),
    );
    return [String(answer.status), ...elements];
  };
  const policyFor = (Principal: unknown, changes: object = {}): string =>
    JSON.stringify({
      Statement: {
        Effect: 'Deny',
        Principal,
        Action: 's3:GetObject',
        Resource: `arn:aws:s3:::${BUCKET}/*`,
        ...changes,
      },
    });

  it("answers AWS's code and text", async () => {
    const refused = (message: string, detail?: string) => ['400', 'MalformedPolicy', message, detail];
    expect(await put('')).toEqual(refused("Policies must be valid JSON and the first byte must be '{'"));
    expect(await put('invalid json')).toEqual(refused("Policies must be valid JSON and the first byte must be '{'"));
    expect(await put('{}')).toEqual(refused('Missing required field Statement'));
    expect(await put(policyFor('*', { Action: 's3:Fetch' }))).toEqual(refused('Policy has invalid action', 's3:Fetch'));
  });

  it('takes principals that exist and refuses others', async () => {
    for (const principal of [
      'arn:aws:iam:::user/alice',
      'arn:aws:iam::000000000000:user/alice',
      'alice',
      'arn:aws:iam::000000000000:root',
      '000000000000',
    ]) {
      expect(await put(policyFor({ AWS: principal }))).toEqual(ACCEPTED);
    }
    expect(await put(policyFor({ CanonicalUser: aliceId }))).toEqual(ACCEPTED);
    const refused = (name: string) => ['400', 'MalformedPolicy', 'Invalid principal in policy', name];
    expect(await put(policyFor({ AWS: ['arn:aws:iam:::user/alice', 'arn:aws:iam:::user/bob'] }))).toEqual(
      refused('bob'),
    );
    expect(await put(policyFor({ AWS: 'bob' }))).toEqual(refused('bob'));
    expect((await put(policyFor({ AWS: 'arn:aws:iam:::user/a\u0000' }))).slice(0, 2)).toEqual([
      '400',
      'MalformedPolicy',
    ]);
    expect(await put(policyFor({ CanonicalUser: 'f'.repeat(64) }))).toEqual(refused('f'.repeat(64)));
  });

  it('keeps the policy there was when it refuses one', async () => {
    const kept = policyFor({ AWS: 'alice' });
    await put(kept);
    await put(policyFor({ AWS: 'bob' }));
    const root = app.s3();
    expect((await root.send(new GetBucketPolicyCommand({ Bucket: BUCKET }))).Policy).toBe(kept);
    root.destroy();
  });
});
