import { readSecretFile } from './secret-file.ts'

/** Names the file with the vault's password, for a start where nobody can be asked. */
export const vaultPasswordVariable = 'COCOON_VAULT_PASSWORD_FILE'

/** What to do where the password is needed and nobody can be asked. */
export const tellPasswordBy = `Name a file that holds it, with mode 0600, in the environment variable ${vaultPasswordVariable}, and start again.`

/** A password is one line; its file may end with a line break. Throws as `readSecretFile`. */
export const passwordFromFile = (path: string): string => readSecretFile(path).replace(/\r?\n$/, '')

/** Reads the password from the file that the environment names, when it is needed; undefined if none is named. */
export function passwordFromEnvironment(): (() => Promise<string>) | undefined {
  const path = process.env[vaultPasswordVariable]
  return path ? async () => passwordFromFile(path) : undefined
}
