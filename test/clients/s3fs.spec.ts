import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { appendFile, cp, mkdir, readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { settleInLanes } from '../../src/common/in-lanes';
import { eventually } from '../support/eventually';
import { ClientStore, KEY, LISTED } from './support/client-store';
import { describeClient, runClient, whyMissing } from './support/client-suite';
import { writeLarge } from './support/large-file';
import { SESSION } from './support/session-size';
import { changeTree, fingerprints, plantTree, sha256Of } from './support/tree';

/** Without these each new name is looked up in four ways, again and again. */
const SPARING = ['notsup_compat_dir', 'enable_noobj_cache'];

function whyNoMounts(): string | undefined {
  try {
    accessSync('/dev/fuse', constants.R_OK | constants.W_OK);
  } catch {
    return '/dev/fuse cannot be used here';
  }
  return whyMissing('fusermount', ['--version']);
}

describeClient('s3fs', whyMissing('s3fs', ['--version'], /Simple Storage/) ?? whyNoMounts(), () => {
  let store: ClientStore;
  let mounted: ChildProcess;
  let mount: string;

  beforeAll(async () => {
    store = await ClientStore.start('vault');
    await store.createBucket('s3fs');
    mount = store.path('mount');
    await mkdir(mount);
    await mountBucket(...SPARING);
  });
  afterAll(async () => {
    await unmount();
    await store.stop();
  });

  async function mountBucket(...more: string[]): Promise<void> {
    const options = ['use_path_request_style', `url=${store.server.endpoint}`, `use_sse=kmsid:${KEY}`];
    const multipart = ['multipart_size=16', 'singlepart_copy_limit=5120', `tmpdir=${store.directory}`];
    mounted = spawn('s3fs', ['s3fs', mount, '-f', '-o', [...options, ...multipart, ...more].join(',')], {
      env: {
        PATH: process.env['PATH'],
        HOME: store.directory,
        AWSACCESSKEYID: store.server.accessKeyId,
        AWSSECRETACCESSKEY: store.server.secretAccessKey,
        LC_ALL: 'C.UTF-8',
      },
      stdio: 'ignore',
    });
    await eventually(async () => expect(await readFile('/proc/mounts', 'utf8')).toContain(` ${mount} fuse.s3fs`));
  }
  async function unmount(): Promise<void> {
    if (mounted.exitCode !== null) {
      return;
    }
    const ended = once(mounted, 'exit');
    if (spawnSync('fusermount', ['-u', mount]).status !== 0) {
      mounted.kill();
    }
    await ended;
  }

  it('holds a tree, has nothing to copy the second time, follows changes, and another mount finds all of it', async () => {
    const source = store.path('tree');
    const tree = `${mount}/tree`;
    const names = await plantTree(source);
    // It tells what it copies, and leaves alone what is no newer than the copy.
    const copy = async (): Promise<string[]> => {
      const args = ['--recursive', '--update', '--verbose', '--preserve=timestamps', '--no-target-directory'];
      const { stdout } = await runClient('cp', [...args, source, tree], {});
      return stdout.split('\n').filter((line) => line.includes(' -> '));
    };
    expect((await copy()).length).toBeGreaterThan(SESSION.files);
    expect(await store.expectSealed('s3fs', 'tree/')).toBe(Math.min(await countEntries(source), LISTED));
    expect(await copy()).toEqual([]);

    const { changed, added, deleted } = await changeTree(source, names);
    // One of the new files is in a new folder.
    expect(await copy()).toHaveLength(changed + added + 1);
    const gone = names.filter((name) => !existsSync(`${source}/${name}`));
    expect(gone).toHaveLength(deleted);
    await settleInLanes(gone, 4, (name) => rm(`${tree}/${name}`));
    await unmount();
    await mountBucket();
    expect(await fingerprints(tree)).toEqual(await fingerprints(source));
  });

  it('carries a large file in parts, grows it, and renames it', async () => {
    const large = await writeLarge(store.path('large'));
    await cp(store.path('large'), `${mount}/large`);
    await store.expectCiphertextOnly(large);
    await appendFile(`${mount}/large`, 'the end');
    await appendFile(store.path('large'), 'the end');
    await rename(`${mount}/large`, `${mount}/renamed`);
    await unmount();
    await mountBucket();
    expect(await sha256Of(`${mount}/renamed`)).toBe(await sha256Of(store.path('large')));
    expect(await readdir(mount)).not.toContain('large');
  });

  it('keeps mode and time, renames folders, and removes them', async () => {
    await mkdir(`${mount}/folder/inner`, { recursive: true });
    await writeFile(`${mount}/folder/inner/file`, 'content', { mode: 0o640 });
    await rename(`${mount}/folder`, `${mount}/moved`);
    expect(await readFile(`${mount}/moved/inner/file`, 'utf8')).toBe('content');
    expect((await stat(`${mount}/moved/inner/file`)).mode & 0o777).toBe(0o640);
    await rm(`${mount}/moved`, { recursive: true });
    await expect(stat(`${mount}/moved`)).rejects.toThrow('ENOENT');
    const { stdout } = await runClient('df', [mount], {});
    expect(stdout).toContain('s3fs');
  });
});

/** Files and folders below a directory, and the directory itself: a file system keeps an object for each. */
async function countEntries(directory: string): Promise<number> {
  return 1 + (await readdir(directory, { recursive: true })).length;
}
