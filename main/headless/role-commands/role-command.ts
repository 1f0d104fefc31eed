import { messageAndAdvice } from '../../base/failure.ts'
import type { ChildEntries } from '../../child-entries.ts'
import { UsageError } from './arguments.ts'
import { clientCommand, clientHelp } from './client.ts'
import { keyManagerCommand, keyManagerHelp } from './key-manager.ts'
import { proxyCommand, proxyHelp } from './proxy.ts'
import { routerCommand, routerHelp } from './router.ts'
import { exitCodes } from './run-role.ts'
import { workerCommand, workerHelp } from './worker.ts'

const commands: Readonly<
  Record<string, { run: (args: readonly string[], entries: ChildEntries) => Promise<void>; help: string }>
> = {
  client: { run: clientCommand, help: clientHelp },
  worker: { run: workerCommand, help: workerHelp },
  proxy: { run: proxyCommand, help: proxyHelp },
  router: { run: routerCommand, help: routerHelp },
  'key-manager': { run: keyManagerCommand, help: keyManagerHelp },
}

/** Runs `cocoon-desktop client|worker|proxy|router|key-manager …`. False when it is none of them. Ends the process when the command line is wrong. */
export async function roleCommand([name = '', ...args]: readonly string[], entries: ChildEntries): Promise<boolean> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (command === undefined) return false
  try {
    await command.run(args, entries)
  } catch (thrown) {
    const isUsage = thrown instanceof UsageError || (thrown instanceof TypeError && 'code' in thrown)
    console.error(isUsage ? `${messageAndAdvice(thrown)}\n\n${command.help}` : messageAndAdvice(thrown))
    process.exit(isUsage ? exitCodes.usage : exitCodes.failed)
  }
  return true
}
