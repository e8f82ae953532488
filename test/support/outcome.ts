import type { S3ServiceException } from '@aws-sdk/client-s3';

/** How a request of an SDK client ended: `ok`, or the S3 error code. */
export async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'ok';
  } catch (error) {
    return (error as S3ServiceException).name;
  }
}
