import { link, lstat, mkdtemp, open, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type CatalogEntry, type CatalogSource, catalogFile } from './catalog.ts'
import { ModelLibrary } from './library.ts'
import { mirrorUrl } from './obtain.ts'
import { hashInPieces, keptPieces, type PieceList } from './piece-list.ts'
import { FaultyServer } from './testing/faulty-server.ts'
import { type Shape, writeShapedGguf } from './testing/shaped-gguf.ts'
import { sha256 } from './testing/tiny-wheel.ts'

const readAt = { where: 'written by hand for this test', when: '2026-11-22' }
const pieceBytes = 64 * 1024
const shape: Shape = {
  ...{ embedding: 256, layers: 2, heads: 4, kvHeads: 4, headSize: 64, feedForward: 256, vocabulary: 600 },
  ...{ contextTokens: 64, type: 8, tied: false },
}
let model: Buffer
let another: Buffer
let count: number
let pieces: PieceList

let folder: string
let server: FaultyServer
let other: FaultyServer

beforeAll(async () => {
  const base = await mkdtemp(join(tmpdir(), 'cocoon-desktop-pieces-'))
  const path = join(base, 'x.gguf')
  await writeShapedGguf(path, shape)
  // Weights of zero would make all pieces equal.
  model = (await readFile(path)).map((byte, at) => (byte === 0 && at > 100_000 ? (at * 7) & 0xff : byte)) as Buffer
  await writeShapedGguf(path, { ...shape, feedForward: 320 })
  another = await readFile(path)
  await rm(base, { recursive: true })
  count = Math.ceil(model.length / pieceBytes)
  pieces = {
    bytes: pieceBytes,
    sha256: Array.from({ length: count }, (_, index) => sha256(model.subarray(index * pieceBytes, (index + 1) * pieceBytes))),
  }
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-pieces-'))
  ;[server, other] = [new FaultyServer(), new FaultyServer()]
  for (const one of [server, other]) {
    one.put('/maker/tiny.gguf', model)
    await one.start()
  }
  other.etag = '"another"'
})
afterEach(async () => {
  server.stop()
  other.stop()
  await rm(folder, { recursive: true })
})

function source(from: FaultyServer, more: Partial<CatalogSource & { kind: 'huggingface' }> = {}): CatalogSource {
  const facts = { sizeBytes: model.length, sha256: sha256(model), readAt }
  return { kind: 'huggingface', url: from.url('/maker/tiny.gguf'), ...facts, ...more }
}

function entry(...sources: CatalogSource[]): CatalogEntry {
  return {
    ...{ id: 'tiny', name: 'Tiny', licence: 'MIT', parameters: '2.6M', parameterCount: 2_594_048, quantization: 'F32' },
    ...{
      contextTokens: 2048,
      shape: null,
      abilities: { reasoning: null, tools: null },
      fileName: 'tiny.gguf',
      repo: 'maker/tiny',
    },
    ...{ commit: 'c'.repeat(40), readAt, sources },
  }
}

async function library(sources: readonly CatalogSource[], mirror: string | null = null): Promise<ModelLibrary> {
  const http = { connectTimeoutMs: 10_000, retryPauseMs: 5, parallelFromBytes: 4 * pieceBytes, pieceBytes, connections: 2 }
  const opened = new ModelLibrary({ folder, catalog: [entry(...sources)], http, mirror: () => mirror })
  await opened.start()
  return opened
}

/** Numbers of the pieces that a server was asked for. */
const asked = ({ requests }: FaultyServer): number[] =>
  requests.flatMap(({ range }) => (range === undefined ? [] : [Math.floor(Number(/\d+/.exec(range)?.[0]) / pieceBytes)]))

async function damage(path: string, at: number): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(new Uint8Array([model[at] === 1 ? 2 : 1]), 0, 1, at)
  await file.close()
}

async function installed(models: ModelLibrary): Promise<void> {
  expect(models.models.value[0]).toMatchObject({ status: 'installed', sha256: sha256(model) })
  expect((await readFile(join(folder, 'tiny.gguf'))).equals(model)).toBe(true)
}

/** Downloads until a good part is there, then stops. */
async function halfway(models: ModelLibrary, from: FaultyServer): Promise<void> {
  // Slow enough that the look below is never too late.
  from.bytesPerSecond = 200_000
  const running = models.download('tiny')
  const failed = expect(running).rejects.toMatchObject({ code: 'cancelled' })
  const state = async (): Promise<number[]> =>
    readFile(join(folder, 'tiny.gguf.huggingface.part.json'), 'utf8').then(
      (text) => (JSON.parse(text) as { pieces?: { done: number[] } }).pieces?.done ?? [],
      () => [],
    )
  while ((await state()).length < 3) await new Promise((resolve) => setTimeout(resolve, 10))
  await models.cancelDownload('tiny')
  await failed
  from.bytesPerSecond = undefined
}

describe('pieces of a model', () => {
  it('are hashed with the whole in one reading', async () => {
    const path = join(folder, 'x')
    await writeFile(path, model)
    expect(await hashInPieces(path, pieceBytes)).toEqual({ sha256: sha256(model), pieces })
    expect((await hashInPieces(path, model.length)).pieces.sha256).toEqual([sha256(model)])
  })

  it('are learned at the first verified download, and repair a damaged file without loading the rest', async () => {
    const models = await library([source(server)])
    await models.download('tiny')
    expect(await keptPieces(folder, sha256(model), model.length)).toEqual(pieces)
    const path = join(folder, 'tiny.gguf')
    await damage(path, 5 * pieceBytes + 77)
    await damage(path, model.length - 1)
    await utimes(path, 1, 1)
    await expect(models.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    server.requests.length = 0
    await models.download('tiny')
    expect(asked(server).sort((a, b) => a - b)).toEqual([5, count - 1])
    await installed(models)
    expect((await stat(path)).size).toBe(model.length)
  })

  it('that were damaged on the disk while a download waited come again, and only they', async () => {
    await halfway(await library([source(server)]), server)
    const part = join(folder, 'tiny.gguf.huggingface.part')
    const { done } = (JSON.parse(await readFile(`${part}.json`, 'utf8')) as { pieces: { done: number[] } }).pieces
    const [hurt = 0, ...sound] = done
    await damage(part, hurt * pieceBytes + 1)
    server.requests.length = 0
    const again = await library([source(server)])
    await again.download('tiny')
    expect(asked(server)).toContain(hurt)
    for (const piece of sound) expect(asked(server)).not.toContain(piece)
    await installed(again)
  })

  it.each([
    ['a link', async (path: string, mine: string) => symlink(mine, path)],
    ['a second name', async (path: string, mine: string) => link(mine, path)],
  ])('are not written into a file of the user: %s', async (_, name) => {
    const models = await library([source(server)])
    await models.download('tiny')
    const [path, mine] = [join(folder, 'tiny.gguf'), join(folder, 'mine')]
    await rename(path, mine)
    await name(path, mine)
    await damage(mine, 5 * pieceBytes + 77)
    await utimes(mine, 1, 1)
    const before = await readFile(mine)
    await expect(models.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    await models.download('tiny')
    await installed(models)
    expect((await readFile(mine)).equals(before)).toBe(true)
    expect(await lstat(path)).toMatchObject({ nlink: 1 })
    expect((await lstat(path)).isFile()).toBe(true)
  })

  it('are forgotten with their model', async () => {
    const models = await library([source(server)])
    await models.download('tiny')
    expect(await readdir(join(folder, '.pieces'))).toEqual([`${sha256(model)}.json`])
    await models.delete('tiny')
    expect(await readdir(join(folder, '.pieces'))).toEqual([])
  })

  it('that are sound are given up only when nobody else goes on with them', async () => {
    const models = await library([source(server), source(other)])
    await models.download('tiny')
    const path = join(folder, 'tiny.gguf')
    await damage(path, 5 * pieceBytes + 77)
    await utimes(path, 1, 1)
    await expect(models.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    server.ranges = false
    await models.download('tiny')
    await installed(models)
    expect(asked(other)).toEqual([5])
    other.ranges = false
    await damage(path, 5 * pieceBytes + 77)
    await utimes(path, 2, 2)
    await expect(models.verify('tiny')).rejects.toMatchObject({ code: 'model-broken' })
    await models.download('tiny')
    await installed(models)
  })

  it('that the catalog states are checked as they come: another file is refused at its first piece', async () => {
    const wrong = Uint8Array.from(model)
    for (let piece = 0; piece < count; piece++) wrong[piece * pieceBytes] = (wrong[piece * pieceBytes] ?? 0) ^ 1
    server.put('/maker/tiny.gguf', wrong)
    const models = await library([source(server, { pieces }), source(other, { pieces })])
    await models.download('tiny')
    await installed(models)
    // Two connections ask for the first pieces, each twice; one more may be on its way.
    expect(new Set(asked(server)).size).toBeLessThan(count / 2)
  })

  it('of a catalog have to be those of its size', () => {
    const file = (more: object): unknown => ({ version: 1, models: [entry(source(server, more))] })
    expect(catalogFile.safeParse(file({ pieces })).success).toBe(true)
    expect(catalogFile.safeParse(file({ pieces: { ...pieces, bytes: 2 * pieceBytes } })).success).toBe(false)
    expect(catalogFile.safeParse(file({ pieces, sizeBytes: null })).success).toBe(false)
  })
})

describe('several sources of one file', () => {
  it('take each other’s place in the middle: what the first gave is kept', async () => {
    const models = await library([source(server), source(other)])
    await halfway(models, server)
    const before = new Set(asked(server))
    server.stop()
    await models.download('tiny')
    await installed(models)
    expect(new Set(asked(other)).size).toBeLessThan(count - 2)
    expect(before.size).toBeGreaterThan(2)
  })

  it('that gives a page in place of the file does not cost what another gave', async () => {
    await halfway(await library([source(server)]), server)
    const state = await readFile(join(folder, 'tiny.gguf.huggingface.part.json'), 'utf8')
    const { done } = (JSON.parse(state) as { pieces: { done: number[] } }).pieces
    other.put('/copy/maker/tiny.gguf', '<html>Please log in</html>', 'text/html')
    other.ranges = false
    server.requests.length = 0
    const models = await library([source(server)], other.url('/copy'))
    await models.download('tiny')
    await installed(models)
    expect(other.requests.length).toBeGreaterThan(0)
    for (const piece of done) expect(asked(server)).not.toContain(piece)
  })

  it('that do not fit together are told apart: the file comes anew from one of them', async () => {
    const models = await library([source(server), source(other)])
    const wrong = Uint8Array.from(model, (byte) => byte ^ 1)
    server.put('/maker/tiny.gguf', wrong)
    await halfway(models, server)
    server.stop()
    await models.download('tiny')
    await installed(models)
  })

  it('a mirror is asked first, below its own path, and only for files whose hash is known', async () => {
    other.put('/copy/maker/tiny.gguf', model)
    const models = await library([source(server)], other.url('/copy/'))
    await models.download('tiny')
    await installed(models)
    expect(other.requests[0]?.path).toBe('/copy/maker/tiny.gguf')
    expect(server.requests).toEqual([])
    await models.delete('tiny')
    other.requests.length = 0
    const unpinned = await library([source(server, { sizeBytes: null, sha256: null })], other.url('/copy/'))
    await unpinned.download('tiny')
    expect(other.requests).toEqual([])
  })

  it('a mirror without the file, or with another one, costs nothing but time', async () => {
    const gone = await library([source(server)], other.url('/nothing'))
    await gone.download('tiny')
    await installed(gone)
    await gone.delete('tiny')
    other.put('/copy/maker/tiny.gguf', another)
    const wrong = await library([source(server)], other.url('/copy'))
    await wrong.download('tiny')
    await installed(wrong)
  })

  it.each([
    ['https://mirror.example', 'https://mirror.example/a/b?c'],
    ['https://mirror.example/deep//', 'https://mirror.example/deep/a/b?c'],
    ['https://hub.example/', undefined],
    ['ftp://mirror.example', undefined],
    ['mirror', undefined],
  ])('the address below %s', (mirror, url) => expect(mirrorUrl(mirror, 'https://hub.example/a/b?c')).toBe(url))
})
