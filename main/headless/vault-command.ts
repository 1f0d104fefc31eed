import { parseArgs } from 'node:util'
import { Failure } from '../base/failure.ts'
import { dataPaths, defaultDataDir } from '../storage/files.ts'
import { lockInstance } from '../storage/instance-lock.ts'
import { openVault } from '../wallet/vault.ts'
import { passwordFromFile, vaultPasswordVariable } from '../wallet/vault-password.ts'
import { askSecret } from './terminal.ts'
import { vaultPassword } from './vault-password.ts'

const help = `Usage: cocoon-desktop vault <command> [--data-dir <path>]

  set-password      Locks the vault with a password in place of its key file: chats and wallets open by it alone.
                    It is asked for twice, or read from --new-password-file <path> (mode 0600).
  remove-password   Back to a key file beside the vault, for an unattended start.

The present password is asked for, or read from the file that the environment variable ${vaultPasswordVariable} names. The app must not run.
A forgotten password cannot be replaced.
`

/** `cocoon-desktop vault …`. @returns the status that the process should end with */
export async function vaultCommand(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { 'data-dir': { type: 'string' }, 'new-password-file': { type: 'string' }, help: { type: 'boolean' } },
  })
  const [command] = positionals
  const setting = command === 'set-password'
  if (values.help || (!setting && command !== 'remove-password') || positionals.length > 1) {
    console.log(help)
    return values.help ? 0 : 2
  }
  const dataDir = values['data-dir'] ?? defaultDataDir()
  const paths = dataPaths(dataDir)
  const lock = lockInstance(paths.lock)
  try {
    const vault = await openVault(paths, { password: vaultPassword() })
    try {
      const file = values['new-password-file']
      await vault.changePassword(setting ? (file === undefined ? await newPassword() : passwordFromFile(file)) : null)
    } finally {
      vault.close()
    }
  } finally {
    lock.release()
  }
  console.log(
    setting
      ? 'The vault opens by the password alone. Its key file is deleted; copies of the folder from before still open by theirs.'
      : `The vault opens by its key file: whoever can read ${paths.keyFile} can open everything.`,
  )
  return 0
}

async function newPassword(): Promise<string> {
  const password = await askSecret('New password of the vault')
  if ((await askSecret('Once more')) === password) return password
  throw new Failure('passwords-differ', 'The two passwords are not the same.', { advice: 'Nothing is changed. Try again.' })
}
