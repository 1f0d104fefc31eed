import { fileURLToPath } from 'node:url'

/** Files that the core starts as processes or threads of their own. */
export interface ChildEntries {
  readonly engine: string
  readonly chain: string
  readonly powThread: URL
}

/**
 * Finds the children's files next to an entry of the app, which must give its own `import.meta.url`.
 * From sources they are the .ts files of their rooms; in the build every entry lies in one folder.
 */
export function childEntries(entryUrl: string): ChildEntries {
  const isSource = entryUrl.endsWith('.ts')
  // An entry lies either in main/ or in a room below it; the sources' root is found by name.
  const main = isSource ? new URL(entryUrl.slice(0, entryUrl.lastIndexOf('/main/') + '/main/'.length)) : new URL('.', entryUrl)
  const file = (source: string, built: string): URL => new URL(isSource ? source : built, main)
  return {
    engine: fileURLToPath(file('inference/engine-process.ts', 'engine-process.js')),
    chain: fileURLToPath(file('localnet/chain-process.ts', 'chain-process.js')),
    powThread: file('protocol/wire/pow-thread.ts', 'pow-thread.js'),
  }
}
