import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { LocalEngine } from '../inference/local-engine.ts'
import { tinyGgufFile } from '../inference/testing/tiny-gguf.ts'
import { ModelLibrary } from '../models/library.ts'
import { ModelsPlace } from '../models/models-place.ts'
import { ModelMover } from '../models/move-models.ts'

it('an engine answers while its model moves, and comes back with the file at its new place', { timeout: 120_000 }, async () => {
  const data = await mkdtemp(join(tmpdir(), 'cocoon-desktop-moved-'))
  const [own, to] = [join(data, 'models'), join(data, 'elsewhere')]
  await mkdir(own)
  await copyFile(await tinyGgufFile(), join(own, 'tiny.gguf'))
  const place = new ModelsPlace(join(data, 'models-place.json'), own)
  const library = new ModelLibrary({ folder: own, catalog: [] })
  const mover = new ModelMover({ library, place, ownFolder: own, secondNames: false })
  const engine = new LocalEngine({
    ...{ entryPath: fileURLToPath(new URL('../inference/engine-process.ts', import.meta.url)), gpu: false, threads: 1 },
    ...{ background: false, restartPauseMs: 20, whereIs: (path) => library.whereIs(path) },
  })
  const never = new AbortController().signal
  const answer = async (): Promise<number> => {
    let tokens = 0
    for await (const event of engine.complete('hello', { maxTokens: 4 }, never)) if (event.type === 'text') tokens += event.tokens
    return tokens
  }
  try {
    await library.start()
    const [model] = library.models.value
    const { path, name } = await library.verify(model?.id ?? '')
    await engine.load({ path, name })
    await mover.start(to)
    expect(await answer()).toBeGreaterThan(0)
    for await (const { status } of mover.state.values(never)) if (status !== 'moving') break
    expect(await readdir(data)).not.toContain('models')
    expect(await answer()).toBeGreaterThan(0)
    expect(await engine.sleep()).toBe(true)
    expect(await answer()).toBeGreaterThan(0)
    process.kill(engine.pid ?? 0, 'SIGKILL')
    for await (const { status } of engine.state.values(never)) if (status !== 'ready') break
    for await (const { status } of engine.state.values(never)) if (status === 'ready' || status === 'failed') break
    expect(await answer()).toBeGreaterThan(0)
  } finally {
    await engine.dispose()
    await rm(data, { recursive: true })
  }
})
