import type { ButtonHTMLAttributes, ReactNode } from 'react'

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: 'default' | 'primary' | 'ghost' | 'danger'
  size?: 'sm' | 'md' | 'lg'
  icon?: ReactNode
}

const kinds = { default: '', primary: 'btn-primary', ghost: 'btn-ghost', danger: 'btn-danger' }
const sizes = { sm: 'btn-sm', md: '', lg: 'btn-lg' }

export function Button({ kind = 'default', size = 'md', icon, children, className = '', ...rest }: ButtonProps) {
  return (
    <button type="button" className={`btn ${kinds[kind]} ${sizes[size]} ${className}`} {...rest}>
      {icon}
      {children}
    </button>
  )
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** Accessible name and tooltip. */
  label: string
  small?: boolean
}

export function IconButton({ label, small = false, className = '', children, ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`icon-btn ${small ? 'icon-btn-sm' : ''} ${className}`}
      {...rest}
    >
      {children}
    </button>
  )
}
