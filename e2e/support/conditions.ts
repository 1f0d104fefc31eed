import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { newDataDir } from './app.ts'

/**
 * Tools of the system that say what a journey wants, found by the app where it finds the real ones. What they write is written by hand, in the form of
 * the tools: `nmcli` of NetworkManager, `nvidia-smi pmon` of NVIDIA's driver. There is no card behind it.
 */
export interface ConditionTools {
  readonly env: Readonly<Record<string, string>>
  /** Whether a game draws on the card, from the next second on. */
  game(runs: boolean): void
}

export function conditionTools(): ConditionTools {
  const folder = newDataDir()
  const bin = join(folder, 'bin')
  const game = join(folder, 'game-runs')
  mkdirSync(bin)
  const tool = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  tool('nmcli', "echo 'GENERAL.METERED:yes'")
  tool(
    'nvidia-smi',
    `[ "$1" = pmon ] || exit 1
echo '#Time        gpu         pid   type     sm    mem    enc    dec     fb    command'
while :; do
  if [ -e '${game}' ]
  then echo "$(date +%H:%M:%S)  0  99999999  G  92  40  -  -  4000  game.exe"
  else echo "$(date +%H:%M:%S)  0  -  -  -  -  -  -  -  -"
  fi
  sleep 1
done`,
  )
  return {
    env: { PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    game: (runs) => (runs ? writeFileSync(game, '') : rmSync(game, { force: true })),
  }
}
