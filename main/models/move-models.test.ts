import { execFile } from 'node:child_process'
import { cp, link, lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CatalogEntry } from './catalog.ts'
import { ModelLibrary } from './library.ts'
import { ModelsPlace } from './models-place.ts'
import { ModelMover, type ModelMoverOptions } from './move-models.ts'
import type { MoveOrder } from './testing/move-process.ts'
import { type Shape, writeShapedGguf } from './testing/shaped-gguf.ts'
import { sha256 } from './testing/tiny-wheel.ts'

const readAt = { where: 'written by hand for this test', when: '2026-11-22' }
const shape: Shape = {
  ...{ embedding: 32, layers: 1, heads: 2, kvHeads: 2, headSize: 16, feedForward: 32, vocabulary: 300 },
  ...{ contextTokens: 64, type: 8, tied: false },
}
const chunkBytes = 64 * 1024
/** Three chunks: a move ends inside of it too. */
const part = Buffer.alloc(2.2 * chunkBytes, 7)
let model: Buffer
let mine: Buffer
let entry: CatalogEntry
let base: string
let samples: string
let count = 0

interface Scene {
  readonly data: string
  readonly own: string
  readonly to: string
  readonly placePath: string
}

beforeAll(async () => {
  base = await mkdtemp(join(tmpdir(), 'cocoon-desktop-move-'))
  samples = join(base, 'sample')
  await mkdir(join(samples, '.tiny.wheel'), { recursive: true })
  await writeShapedGguf(join(samples, 'tiny.gguf'), shape)
  await writeShapedGguf(join(samples, 'mine.gguf'), { ...shape, layers: 2 })
  model = await readFile(join(samples, 'tiny.gguf'))
  mine = await readFile(join(samples, 'mine.gguf'))
  entry = {
    ...{ id: 'tiny', name: 'Tiny', licence: 'MIT', parameters: '2.6M', parameterCount: 2_594_048, quantization: 'F32' },
    ...{
      contextTokens: 2048,
      shape: null,
      abilities: { reasoning: null, tools: null },
      fileName: 'tiny.gguf',
      repo: 'maker/tiny',
    },
    commit: 'c'.repeat(40),
    readAt,
    sources: [
      { kind: 'huggingface', url: 'http://127.0.0.1:9/tiny.gguf', sizeBytes: model.length, sha256: sha256(model), readAt },
    ],
  }
  await writeFile(join(samples, 'tiny.gguf.huggingface.part'), part)
  await writeFile(join(samples, '.tiny.wheel', 'wheel.part'), 'half a wheel')
})
afterAll(() => rm(base, { recursive: true }))

async function newScene(): Promise<Scene> {
  const data = join(base, `scene-${count++}`)
  const own = join(data, 'models')
  await cp(samples, own, { recursive: true, preserveTimestamps: true })
  await symlink('mine.gguf', join(own, 'linked.gguf'))
  await link(join(own, 'mine.gguf'), join(own, 'same-as-mine.gguf'))
  return { data, own, to: join(data, 'other disk'), placePath: join(data, 'models-place.json') }
}

interface Opened {
  readonly library: ModelLibrary
  readonly place: ModelsPlace
  readonly mover: ModelMover
}

async function open({ own, placePath }: Scene, more: Partial<ModelMoverOptions> = {}): Promise<Opened> {
  const place = new ModelsPlace(placePath, own)
  const library = new ModelLibrary({ folder: place.value.folder, catalog: [entry], isOwnFolder: (folder) => folder === own })
  const mover = new ModelMover({ library, place, ownFolder: own, chunkBytes, ...more })
  await library.start()
  return { library, place, mover }
}

async function over({ mover }: Opened): Promise<void> {
  for await (const { status } of mover.state.values(new AbortController().signal)) if (status !== 'moving') return
}

/** Every model there once, each with the bytes that it had, and nothing else. */
async function expectWhole(scene: Scene, { library, place }: Opened, folder: string, gone: string): Promise<void> {
  expect(place.value).toEqual({ version: 1, folder, move: null, leave: null })
  expect(library.models.value.map(({ name, status }) => [name, status]).sort()).toEqual(
    ['Tiny', 'linked', 'mine', 'same-as-mine'].map((name) => [name, 'installed']),
  )
  for (const { id, name } of library.models.value) {
    const verified = await library.verify(id)
    expect([name, verified.sha256]).toEqual([name, sha256(name === 'Tiny' ? model : mine)])
    expect(verified.path.startsWith(`${folder}/`)).toBe(true)
  }
  expect((await readFile(join(folder, 'tiny.gguf.huggingface.part'))).equals(part)).toBe(true)
  expect(await readFile(join(folder, '.tiny.wheel', 'wheel.part'), 'utf8')).toBe('half a wheel')
  expect((await readdir(folder, { recursive: true })).sort()).toEqual(
    [
      '.tiny.wheel',
      '.tiny.wheel/wheel.part',
      'library.json',
      'linked.gguf',
      'mine.gguf',
      'same-as-mine.gguf',
      'tiny.gguf',
      'tiny.gguf.huggingface.part',
    ].sort(),
  )
  await expect(readdir(gone)).rejects.toMatchObject({ code: 'ENOENT' })
  expect((await readdir(scene.data)).filter((name) => name.startsWith('.'))).toEqual([])
}

/** What ended the process. */
function run(order: MoveOrder): Promise<NodeJS.Signals | undefined> {
  const script = fileURLToPath(new URL('testing/move-process.ts', import.meta.url))
  return new Promise((resolve) => {
    execFile(process.execPath, [script, JSON.stringify(order)], (error) => resolve(error?.signal))
  })
}

async function finished(scene: Scene, secondNames: boolean, note: string): Promise<void> {
  // What the next start finds can be used before anything is finished.
  const opened = await open(scene, { secondNames })
  const models = opened.library.models.value.filter(({ status }) => status === 'installed')
  expect(models.map(({ name }) => name).sort(), note).toEqual(['Tiny', 'linked', 'mine', 'same-as-mine'])
  const { move, leave, folder } = opened.place.value
  if (move !== null || leave !== null) opened.mover.resume()
  else if (folder === scene.own) await opened.mover.start(scene.to)
  await over(opened)
  await expectWhole(scene, opened, scene.to, scene.own)
  await rm(scene.data, { recursive: true })
}

describe('ModelMover, ended before each of its steps,', () => {
  it.each([
    ['by copying', false],
    ['by second names on one disk', true],
  ])(
    'loses no model and has none twice: %s',
    async (_, secondNames) => {
      let steps = 0
      const calm = await newScene()
      const whole = await open(calm, { secondNames, onStep: () => void steps++ })
      await whole.mover.start(calm.to)
      await over(whole)
      await expectWhole(calm, whole, calm.to, calm.own)
      expect(steps).toBeGreaterThan(secondNames ? 10 : 18)
      for (let last = 1; last <= steps; last++) {
        const scene = await newScene()
        let now = 0
        const ended = await open(scene, {
          secondNames,
          onStep: () => {
            now++
            // From here on it does nothing any more.
            if (now >= last) throw new Error('ended')
          },
        })
        await ended.mover.start(scene.to)
        await over(ended)
        expect(now).toBe(last)
        await finished(scene, secondNames, `ended before step ${last}`)
      }
    },
    180_000,
  )

  it('goes on after a process was killed in the middle of a file', async () => {
    const scene = await newScene()
    const { placePath, own, to } = scene
    expect(await run({ placePath, ownFolder: own, to, catalog: [entry], killAt: 7, secondNames: false, chunkBytes })).toBe(
      'SIGKILL',
    )
    expect((await readdir(to)).some((name) => name.endsWith('.moving'))).toBe(true)
    await finished(scene, false, 'killed')
  })
})

describe('ModelMover', () => {
  let scene: Scene
  beforeEach(async () => {
    scene = await newScene()
  })

  it('goes on in the same app: paths, ids and what was learned stay those of the same models', async () => {
    const opened = await open(scene)
    const { library, mover } = opened
    const before = library.models.value
    const tiny = await library.verify('tiny')
    library.setSpeed('tiny', 12)
    await mover.start(scene.to)
    const [own] = library.models.value.filter(({ origin }) => origin === 'own')
    await expect(library.delete(own?.id ?? '')).rejects.toMatchObject({ code: 'models-moving' })
    await expect(mover.start(scene.to)).rejects.toMatchObject({ code: 'models-moving' })
    await over(opened)
    expect(library.folder).toBe(scene.to)
    expect(library.models.value.map(({ id }) => id)).toEqual(before.map(({ id }) => id))
    expect(library.models.value.find(({ id }) => id === 'tiny')).toMatchObject({
      path: join(scene.to, 'tiny.gguf'),
      tokensPerSecond: 12,
    })
    expect(library.whereIs(tiny.path)).toBe(join(scene.to, 'tiny.gguf'))
    expect(library.whereIs('/elsewhere/x.gguf')).toBe('/elsewhere/x.gguf')
    await expectWhole(scene, opened, scene.to, scene.own)
    // Names of one file are names of one file there too, and a link leads to where it led.
    expect((await stat(join(scene.to, 'mine.gguf'))).ino).toBe((await stat(join(scene.to, 'same-as-mine.gguf'))).ino)
    const back = join(scene.data, 'back')
    await mover.start(back)
    await over(opened)
    expect(library.whereIs(tiny.path)).toBe(join(back, 'tiny.gguf'))
  })

  it('reads nothing again that was hashed before, and keeps the time of files', async () => {
    const first = await open(scene)
    await first.library.verify('tiny')
    await first.mover.start(scene.to)
    await over(first)
    const again = await open(scene)
    expect(again.library.models.value.find(({ id }) => id === 'tiny')).toMatchObject({
      status: 'installed',
      sha256: sha256(model),
    })
  })

  it('cancelled: what was copied goes, the models stay', async () => {
    const { library, mover, place } = await open(scene, { secondNames: false })
    await mover.start(scene.to)
    await mover.cancel()
    expect(mover.state.value).toEqual({ status: 'idle' })
    expect(place.value).toMatchObject({ folder: scene.own, move: null, leave: null })
    await expect(readdir(scene.to)).rejects.toMatchObject({ code: 'ENOENT' })
    expect((await library.verify('tiny')).path).toBe(join(scene.own, 'tiny.gguf'))
    await mover.cancel()
    await mover.start(scene.to)
    await over({ library, mover, place })
    expect(library.folder).toBe(scene.to)
  })

  it('cancelled where another disk came in its place: nothing there is touched', async () => {
    const { mover, place } = await open(scene, { secondNames: false, chunkBytes: 1024 })
    await mover.start(scene.to)
    await mover.stop()
    await rm(scene.to, { recursive: true })
    const theirs = ['library.json', 'mine.gguf', 'tiny.gguf', 'tiny.gguf.moving']
    await mkdir(scene.to)
    for (const name of theirs) await writeFile(join(scene.to, name), `another ${name}`)
    expect(mover.state.value.status).toBe('stopped')
    await mover.cancel()
    expect((await readdir(scene.to)).sort()).toEqual(theirs)
    expect(place.value).toMatchObject({ folder: scene.own, move: null })
    expect(mover.state.value).toEqual({ status: 'idle' })
  })

  it('told to go on while it is at work, can still be cancelled', async () => {
    const { mover, place } = await open(scene, { secondNames: false, chunkBytes: 1024 })
    await mover.start(scene.to)
    mover.resume()
    await mover.cancel()
    expect(mover.state.value).toEqual({ status: 'idle' })
    expect(place.value).toMatchObject({ folder: scene.own, move: null, leave: null })
    await expect(readdir(scene.to)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('started twice at once, begins once, also while the last move is tidied up', async () => {
    const opened = await open(scene)
    const { mover, place } = opened
    const stat = { size: 1, mtimeMs: 1 }
    place.change({ leave: { folder: join(scene.data, 'before'), files: [{ name: 'gone.gguf', ...stat }] } })
    const first = mover.start(scene.to)
    await expect(mover.start(join(scene.data, 'third'))).rejects.toMatchObject({ code: 'models-moving' })
    mover.resume()
    await first
    await over(opened)
    await expectWhole(scene, opened, scene.to, scene.own)
  })

  it('cancelled before it copies, does not begin, and can be started again', async () => {
    const opened = await open(scene)
    const { library, mover, place } = opened
    const started = expect(mover.start(scene.to)).rejects.toMatchObject({ code: 'cancelled' })
    await mover.cancel()
    await started
    expect(place.value).toEqual({ version: 1, folder: scene.own, move: null, leave: null })
    await expect(readdir(scene.to)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(library.discardDownload('none')).rejects.toMatchObject({ code: 'unknown-model' })
    await mover.start(scene.to)
    await over(opened)
    await expectWhole(scene, opened, scene.to, scene.own)
  })

  it('goes on with a file that was copied in part, and writes anew what differs', async () => {
    await mkdir(scene.to)
    await writeFile(join(scene.to, 'moving-here.txt'), '')
    const name = 'tiny.gguf.huggingface.part'
    const half = Buffer.from(part.subarray(0, 1.5 * chunkBytes))
    half[100] = 8
    await writeFile(join(scene.to, `${name}.moving`), half)
    new ModelsPlace(scene.placePath, scene.own).change({ move: { to: scene.to, undo: false } })
    const opened = await open(scene, { secondNames: false })
    opened.mover.resume()
    await over(opened)
    await expectWhole(scene, opened, scene.to, scene.own)
  })

  it.runIf(process.platform === 'linux')('is refused where the system makes no folder, and nothing is held then', async () => {
    const scene = await newScene()
    const { library, mover, place } = await open(scene)
    for (const folder of ['/proc', '/proc/models', '/proc/none/models'])
      await expect(mover.start(folder), folder).rejects.toMatchObject({ code: 'write-failed' })
    expect(mover.state.value).toEqual({ status: 'idle' })
    expect(place.value.move).toBeNull()
    await expect(library.discardDownload('none')).rejects.toMatchObject({ code: 'unknown-model' })
    await mover.start(join(scene.data, 'new', 'folder'))
    await mover.stop()
  })

  it('is refused before anything is touched', async () => {
    const { mover, place } = await open(scene, { freeBytes: async () => 100_000 })
    await expect(mover.start('models')).rejects.toMatchObject({ code: 'folder-bad' })
    await expect(mover.start(join(scene.own, 'inside'))).rejects.toMatchObject({ code: 'folder-nested' })
    await expect(mover.start(join(scene.own, 'tiny.gguf'))).rejects.toMatchObject({ code: 'write-failed' })
    await expect(mover.start(scene.to)).rejects.toMatchObject({ code: 'disk-full' })
    await mkdir(join(scene.to, 'Cocoon models', 'x'), { recursive: true })
    await expect(mover.start(scene.to)).rejects.toMatchObject({ code: 'folder-taken' })
    expect(place.value).toMatchObject({ folder: scene.own, move: null })
    expect((await readdir(scene.own)).sort()).toContain('tiny.gguf')
    expect(await readdir(scene.own)).not.toContain('inside')
  })

  it('takes a folder of its own where the chosen one holds other things', async () => {
    await mkdir(scene.to)
    await writeFile(join(scene.to, 'letter.txt'), 'dear')
    const opened = await open(scene)
    await opened.mover.start(scene.to)
    await over(opened)
    await expectWhole(scene, opened, join(scene.to, 'Cocoon models'), scene.own)
    expect(await readdir(scene.to)).toEqual(['Cocoon models', 'letter.txt'])
  })

  it('does not take an empty folder, where a disk is missing, for the new place or for a library', async () => {
    const place = new ModelsPlace(scene.placePath, scene.own)
    place.change({ move: { to: scene.to, undo: false } })
    await mkdir(scene.to)
    const opened = await open(scene)
    opened.mover.resume()
    await over(opened)
    expect(opened.mover.state.value).toMatchObject({
      status: 'stopped',
      to: scene.to,
      problemWords: { code: 'move-target-away' },
    })
    await opened.mover.cancel()
    expect(opened.mover.state.value).toEqual({ status: 'idle' })

    place.change({ folder: join(scene.data, 'away'), move: null })
    await expect(open(scene)).rejects.toMatchObject({ code: 'models-folder-away' })
    const away = new ModelLibrary({ folder: join(scene.data, 'away'), catalog: [entry], isOwnFolder: () => false })
    await expect(away.start()).rejects.toMatchObject({ code: 'models-folder-away' })
    await expect(away.download('tiny')).rejects.toMatchObject({ code: 'models-folder-away' })
    await expect(away.addFile(join(scene.own, 'mine.gguf'))).rejects.toMatchObject({ code: 'models-folder-away' })
    await expect(lstat(join(scene.data, 'away'))).rejects.toMatchObject({ code: 'ENOENT' })
    const library = new ModelLibrary({
      folder: place.value.folder,
      catalog: [entry],
      isOwnFolder: (folder) => folder === scene.own,
    })
    const mover = new ModelMover({ library, place, ownFolder: scene.own })
    mover.away()
    mover.forgetFolder()
    await library.start()
    expect(library.models.value.find(({ id }) => id === 'tiny')?.status).toBe('installed')
  })

  it('removes no file that is another one than was copied, nor one whose copy is missing', async () => {
    const opened = await open(scene)
    await opened.mover.start(scene.to)
    await over(opened)
    await mkdir(scene.own)
    for (const name of ['other.gguf', 'alone.gguf']) await writeFile(join(scene.own, name), name)
    await writeFile(join(scene.to, 'other.gguf'), 'other')
    const { size, mtimeMs } = await stat(join(scene.own, 'alone.gguf'))
    const files = [
      { name: 'other.gguf', size: 3, mtimeMs },
      { name: 'alone.gguf', size, mtimeMs },
    ]
    opened.place.change({ leave: { folder: scene.own, files } })
    opened.mover.resume()
    await over(opened)
    expect((await readdir(scene.own)).sort()).toEqual(['alone.gguf', 'other.gguf'])
    expect(opened.mover.state.value).toEqual({ status: 'idle', leftIn: scene.own })
    await expect(opened.mover.start(join(scene.data, 'third'))).rejects.toMatchObject({ code: 'models-left' })
  })
})
