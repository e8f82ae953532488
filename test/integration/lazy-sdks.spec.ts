import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '../..');
const LISTING = `
  require(${JSON.stringify(join(ROOT, 'dist/src/app.module.js'))});
  const loaded = Object.keys(require.cache).filter((file) => /@aws-sdk|@azure|@google-cloud|google-gax|pkcs11js/.test(file));
  process.stdout.write(JSON.stringify(loaded));
`;

describe('start-up', () => {
  it('loads no SDK of a cloud before one of its KMSs is configured', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['-e', LISTING]);
    expect(JSON.parse(stdout)).toEqual([]);
  });
});
