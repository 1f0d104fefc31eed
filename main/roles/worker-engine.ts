import { existsSync } from 'node:fs'
import { Failure } from '../base/failure.ts'
import type { Logger } from '../base/logger.ts'
import type { ChildEntries } from '../child-entries.ts'
import { ExternalBackend } from '../inference/external-backend.ts'
import { LocalEngine } from '../inference/local-engine.ts'
import { createEngineBackend } from '../inference/openai.ts'
import type { OpenAiBackend } from '../inference/openai-backend.ts'
import { shippedCatalog } from '../models/catalog.ts'
import { ModelLibrary } from '../models/library.ts'
import type { ModelsPlace } from '../models/models-place.ts'
import type { Closers } from './closers.ts'

/** What a worker serves with. */
export interface WorkerEngine {
  readonly backend: OpenAiBackend
  /** Full name `NAME@COMMIT:HASH`, as proxies are told. */
  readonly modelName: string
}

export interface WorkerEngineOptions {
  /** `builtin`, or the address of an OpenAI-compatible server. */
  readonly engine: string
  /** Base or full name of the model; for the built-in engine also its id or name in the library, or the path of a GGUF file. */
  readonly model: string
  /** Answers at the same time in the built-in engine. */
  readonly sequences: number
  /** Where the models lie. */
  readonly place: ModelsPlace
  readonly entries: ChildEntries
  readonly logger: Logger
  readonly closers: Closers
}

/** @throws Failure `bad-url`, `unknown-model`, and what loading a model throws */
export async function openWorkerEngine(options: WorkerEngineOptions): Promise<WorkerEngine> {
  if (options.engine === 'builtin') return builtin(options)
  const { engine, model, logger, closers } = options
  const [baseName = ''] = model.split('@', 1)
  const backend = new ExternalBackend({ baseUrl: urlOf(engine), model: baseName, logger: logger.room('engine') })
  closers.add(() => backend.stop())
  await backend.start()
  return { backend, modelName: model }
}

function urlOf(text: string): string {
  if (URL.canParse(text)) return text
  throw new Failure('bad-url', `${text} is no address of an engine.`, { advice: 'Give "builtin" or http://host:port.' })
}

async function builtin({ model, place, sequences, entries, logger, closers }: WorkerEngineOptions): Promise<WorkerEngine> {
  const library = new ModelLibrary({ ...place.forLibrary, catalog: shippedCatalog(), logger: logger.room('models') })
  closers.add(() => library.stop())
  await library.start()
  const id = existsSync(model) ? (await library.addFile(model)).id : idOf(library, model)
  if (library.models.value.some((one) => one.id === id && one.origin === 'catalog' && one.status !== 'installed')) {
    logger.info('downloading the model', { model: id })
    await library.download(id)
  }
  const verified = await library.verify(id)
  const engine = new LocalEngine({ entryPath: entries.engine, sequences, logger: logger.room('engine') })
  closers.add(() => engine.dispose())
  await engine.load({
    path: verified.path,
    name: verified.name,
    ...(verified.sampling ? { sampling: verified.sampling } : {}),
  })
  const { baseName, fullName } = verified.identity
  return { backend: createEngineBackend({ engine, model: baseName }), modelName: fullName }
}

function idOf(library: ModelLibrary, model: string): string {
  const known = library.models.value
  const found = known.find(({ id, name }) => id === model || name === model)
  if (found !== undefined) return found.id
  throw new Failure('unknown-model', `There is no model ${model} in ${library.folder}.`, {
    advice: `Known ones: ${known.map(({ id }) => id).join(', ') || 'none'}. A path of a GGUF file is taken too.`,
  })
}
