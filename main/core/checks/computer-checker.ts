import type { CheckRow } from '../../../preload/api/privacy.ts'
import { messageAndAdvice } from '../../base/failure.ts'
import { pause } from '../../base/pause.ts'
import { Signal } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { LocalEngine } from '../../inference/local-engine.ts'
import type { ModelLibrary, VerifiedModel } from '../../models/library.ts'
import { processFacts } from './process-sockets.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'

export interface ComputerCheckerOptions {
  readonly engine: Pick<LocalEngine, 'state' | 'pid' | 'wake'>
  readonly library: Pick<ModelLibrary, 'verify'>
  /** The model that the engine holds. */
  readonly model: () => VerifiedModel | undefined
  readonly dataDir: string
  /** How the key of the vault is kept, in a sentence. */
  readonly vault: string
  /** Whether a password is needed to open it; else whoever has the data has the key. */
  readonly byPassword: boolean
  /** Linux tells of processes; others do not, and then nothing was looked at. This computer's, unless given. */
  readonly platform?: NodeJS.Platform
}

/** Level 1: the process of the engine and the file that it holds are the connection. */
export function computerChecker(options: ComputerCheckerOptions): LevelChecker {
  const { engine } = options
  const name = (): string | null =>
    engine.state.value.status === 'ready' && engine.pid !== undefined
      ? `${engine.state.value.model}, process ${engine.pid}`
      : null
  const connection = new Signal(name())
  engine.state.onChange(() => connection.set(name()))
  return {
    level: 'computer',
    connection,
    wake: (signal) => engine.wake(signal),
    check: (_name, signal) => check(options, signal),
  }
}

const mostWaitMs = 5_000

const statements = {
  process: said('The model runs in a process of this app', { code: 'check-process' }),
  model: said('The model file is the published one', { code: 'check-model' }),
  network: said('The engine holds no connection', { code: 'check-sockets' }),
  tools: said('No tool sends data away', { code: 'check-tools' }),
  storage: said('The chat is stored encrypted', { code: 'check-storage' }),
} as const

async function check(
  { engine, library, model, dataDir, vault, byPassword, platform = process.platform }: ComputerCheckerOptions,
  signal: AbortSignal,
): Promise<Findings> {
  // The engine says that it is ready a moment before it is noted which file it was given.
  for (let waitedMs = 0; model() === undefined && waitedMs < mostWaitMs && !signal.aborted; waitedMs += 50)
    await pause(50, signal)
  const current = model()
  return {
    rows: [
      await modelRow(library, current),
      ...(await processRows(engine.pid, platform)),
      passed(
        'tools',
        'version',
        statements.tools,
        said('This version has no web search, fetch or other tool.', { code: 'check-tools-none' }),
      ),
      passed(
        'storage',
        'version',
        statements.storage,
        said(
          `In ${dataDir}. Key: ${vault}`,
          byPassword
            ? { code: 'check-storage-password', values: { folder: dataDir } }
            : { code: 'check-storage-key-file', values: { folder: dataDir } },
        ),
      ),
    ],
    evidence: [
      ...(current
        ? [
            evidence('model', 'text', said('Model', { code: 'evidence-model' }), current.name),
            evidence('model-hash', 'hash', said('SHA-256 of the file', { code: 'evidence-model-hash' }), current.sha256),
            evidence('model-file', 'mono', said('File', { code: 'evidence-model-file' }), current.path),
          ]
        : []),
      ...(engine.pid === undefined
        ? []
        : [evidence('process', 'mono', said('Process', { code: 'evidence-process' }), String(engine.pid))]),
      evidence('data', 'mono', said('Data folder', { code: 'evidence-data' }), dataDir),
    ],
  }
}

async function modelRow(library: Pick<ModelLibrary, 'verify'>, model: VerifiedModel | undefined): Promise<CheckRow> {
  if (model === undefined)
    return notChecked(
      'model',
      statements.model,
      said('Which file the engine holds is not known now.', { code: 'check-model-unknown' }),
    )
  const values = { model: model.name }
  try {
    const { sha256 } = await library.verify(model.id)
    if (sha256 !== model.sha256)
      return rowFailed(
        'model',
        statements.model,
        said(`The file of ${model.name} was changed after it was loaded.`, { code: 'check-model-changed', values }),
      )
  } catch (thrown) {
    return rowFailed('model', statements.model, said(messageAndAdvice(thrown), { code: 'check-model-changed', values }))
  }
  if (model.origin === 'own')
    return notChecked(
      'model',
      statements.model,
      said(`${model.name} is your own file; its hash is not in the catalogue.`, { code: 'check-model-own', values }),
    )
  return passed(
    'model',
    'here',
    statements.model,
    said(`${model.name}: SHA-256 as in the catalogue; size and time of the file are unchanged since it was read in full.`, {
      code: 'check-model-catalog',
      values,
    }),
  )
}

async function processRows(pid: number | undefined, platform: NodeJS.Platform): Promise<CheckRow[]> {
  if (platform !== 'linux')
    return [
      passed(
        'process',
        'version',
        statements.process,
        said('The engine is started by this app and spoken to over a pipe.', { code: 'check-process-version' }),
      ),
      notChecked(
        'network',
        statements.network,
        said('This system does not tell it. The engine is given no network task; nothing enforces that.', {
          code: 'check-sockets-unknown',
        }),
      ),
    ]
  const facts = pid === undefined ? null : await processFacts(pid)
  // The system tells it of every process of one's own that does not hide.
  if (facts === null)
    return [
      rowFailed(
        'process',
        statements.process,
        said('The process of the engine could not be looked at: it has ended, or it hides.', { code: 'check-process-unseen' }),
      ),
      rowFailed(
        'network',
        statements.network,
        said('Whether it holds connections could not be looked at.', { code: 'check-sockets-unseen' }),
      ),
    ]
  const { parent, internetSockets } = facts
  const isOurs = parent === process.pid
  return [
    isOurs
      ? passed(
          'process',
          'here',
          statements.process,
          said(`Process ${pid}, a child of this app, spoken to over a pipe.`, {
            code: 'check-process-child',
            values: { pid: pid ?? 0 },
          }),
        )
      : rowFailed(
          'process',
          statements.process,
          said('The process of the engine is not a child of this app.', { code: 'check-process-stranger' }),
        ),
    internetSockets === 0
      ? passed(
          'network',
          'here',
          statements.network,
          said(
            'It held no socket that leads out of this computer when this was checked. The system does not forbid it one later.',
            {
              code: 'check-sockets-none',
            },
          ),
        )
      : rowFailed(
          'network',
          statements.network,
          said(`It held sockets that may lead out of this computer: ${internetSockets}. An engine needs none.`, {
            code: 'check-sockets-some',
            values: { n: internetSockets },
          }),
        ),
  ]
}
