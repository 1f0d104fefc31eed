import type { CheckRow } from '../../../preload/api/privacy.ts'
import { Failure, messageAndAdvice } from '../../base/failure.ts'
import { Signal } from '../../base/signal.ts'
import type { Findings, LevelChecker } from '../../chat/privacy/checker.ts'
import type { EngineAddress } from '../../inference/engine-address.ts'
import type { ChosenEngine, Engines } from '../engines/engines.ts'
import { connectionOf } from '../engines/external-chat.ts'
import { evidence, notChecked, passed, rowFailed, said } from './rows.ts'

const statements = {
  address: said('The engine answers at the address that you added', { code: 'check-engine-address' }),
  channel: said('The way to the engine', { code: 'check-engine-channel' }),
  program: said('What the program does with what it reads', { code: 'check-engine-program' }),
} as const

/** Level "Another program": that the engine is where the user added it is all that can be checked. */
export function externalChecker(engines: Engines): LevelChecker {
  const connection = new Signal(connectionOf(engines.chosen()))
  engines.changes.onChange(() => connection.set(connectionOf(engines.chosen())))
  return {
    level: 'external',
    connection,
    check: async (name) => {
      const chosen = engines.chosen()
      if (chosen === undefined || connectionOf(chosen) !== name)
        throw new Failure('connection-lost', 'The connection ended while it was checked.', { retryable: true })
      await chosen.engine.server.check()
      return findings(chosen, engines.chosen())
    },
  }
}

function findings({ engine, model }: ChosenEngine, after: ChosenEngine | undefined): Findings {
  const { address, record, server } = engine
  return {
    rows: [
      addressRow(address, model, after?.listed !== undefined, server.listing.value?.problem),
      channelRow(address),
      programRow,
    ],
    evidence: [
      evidence('engine', 'text', said('Engine', { code: 'evidence-engine' }), record.name),
      evidence('engine-url', 'mono', said('Address', { code: 'evidence-engine-url' }), record.url),
      evidence('model', 'text', said('Model', { code: 'evidence-model' }), model),
    ],
  }
}

function addressRow({ host }: EngineAddress, model: string, isListed: boolean, problem: unknown): CheckRow {
  if (isListed)
    return passed(
      'engine-address',
      'here',
      statements.address,
      said(`${host} answered just now and lists the model ${model}.`, { code: 'check-engine-listed', values: { host, model } }),
    )
  return rowFailed(
    'engine-address',
    statements.address,
    problem === undefined
      ? said(`${host} does not list the model ${model}.`, { code: 'check-engine-unlisted', values: { host, model } })
      : said(messageAndAdvice(problem), problem instanceof Failure ? problem.words : { code: 'engine-unreachable' }),
  )
}

function channelRow({ host, isLoopback, isEncrypted }: EngineAddress): CheckRow {
  if (isLoopback)
    return passed(
      'channel',
      'here',
      statements.channel,
      said('It is an address of this computer itself. On its way to the program nothing leaves it.', {
        code: 'check-engine-loopback',
      }),
    )
  if (isEncrypted)
    return passed(
      'channel',
      'here',
      statements.channel,
      said(`TLS to ${host}, whose certificate this computer's list of authorities knows.`, {
        code: 'check-engine-tls',
        values: { host },
      }),
    )
  return notChecked(
    'channel',
    statements.channel,
    said(`Messages leave this computer for ${host} without encryption: whoever is on the way can read them.`, {
      code: 'check-engine-plain',
      values: { host },
    }),
  )
}

const programRow = notChecked(
  'engine-program',
  statements.program,
  said('Nobody can check that from here. It may keep what it reads, or pass it on to others.', {
    code: 'check-engine-program-unknown',
  }),
)
