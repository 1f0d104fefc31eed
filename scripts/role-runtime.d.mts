export function roleRuntime(command: string | undefined): { readonly nodeOptions: string[]; readonly env: Record<string, string> }
