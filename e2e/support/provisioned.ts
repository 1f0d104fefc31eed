import { cpSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { newDataDir, startApp } from './app.ts'

/** Outside the data folders, so that the model is downloaded once for all journeys. The app itself checks the file each time. */
const cache = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'cocoon-e2e')

const modelFiles = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.gguf')) : []

/** Keeps the downloaded model of a data folder for the journeys that do not download. */
export function keepModels(dataDir: string): void {
  mkdirSync(cache, { recursive: true })
  for (const name of modelFiles(join(dataDir, 'models'))) {
    rmSync(join(cache, name), { force: true })
    // A link, not a copy: nothing writes into a model file in place.
    linkOrCopy(join(dataDir, 'models', name), join(cache, name))
  }
}

/** Path of a real model file; the app downloads it if no journey did before. */
export async function provisionedModel(): Promise<string> {
  if (modelFiles(cache).length === 0) {
    const dataDir = newDataDir()
    const app = await startApp(dataDir)
    try {
      await app.until(/✓ Engine/, 300_000)
      keepModels(dataDir)
    } finally {
      await app.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
  const [name] = modelFiles(cache)
  if (!name) throw new Error('The app said that its engine is ready, but no model file is there.')
  return join(cache, name)
}

/** A data folder whose model is there already, as a copy of its own: a journey may damage it. */
export async function dataDirWithModel(): Promise<string> {
  const model = await provisionedModel()
  const dataDir = newDataDir()
  mkdirSync(join(dataDir, 'models'), { recursive: true, mode: 0o700 })
  cpSync(model, join(dataDir, 'models', model.slice(cache.length + 1)))
  return dataDir
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch {
    // Another file system.
    cpSync(from, to)
  }
}
