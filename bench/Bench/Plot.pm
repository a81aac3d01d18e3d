# Licensed under the Apache License, Version 2.0; see LICENSE.
#
# Bench::Plot: what was seen, as one picture: four panels of bars. Its colours
# follow the reader's, light or dark.
package Bench::Plot;

use strict;
use warnings;
use List::Util qw(max);
use Bench::Figures ();
use Bench::Peers ();
use Bench::Report ();

use constant {
    WIDTH => 960, PANEL => 468, LEFT => 196, BAR_MAX => 176, STEP => 21,
    TOP => 56, GAP => 24,
};

my $style = <<'END';
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 14px; font-weight: 600 }
.small { fill: #59636e }
.ours { fill: #1a7f37 } .other { fill: #8c959f } .base { fill: #d1d9e0 }
text.ours { font-weight: 600 }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc } .small { fill: #9198a1 }
.ours { fill: #3fb950 } .other { fill: #7d8590 } .base { fill: #3d444d }
}
END

# data  as for Bench::Report
sub svg {
    my ($data) = @_;
    my $figures = Bench::Figures->new($data);
    my @panels = panels($figures, $data->{amount});
    my ($y, @drawn) = (0);

    while (my @line = splice @panels, 0, 2) {
        push @drawn, map { panel($line[$_], $_ * (PANEL + GAP), $y) }
          0 .. $#line;
        $y += TOP + STEP * max(map { scalar @{ $_->{rows} } } @line) + GAP;
    }
    return join "\n", qq(<svg xmlns="http://www.w3.org/2000/svg" )
      . qq(viewBox="0 0 @{[WIDTH]} $y" role="img" aria-labelledby="title">),
      '<title id="title">mod_auth_guard beside its peers: wrong passwords '
      . 'looked at, right ones refused, what a refusal costs, and what others '
      . 'notice of an attack</title>', "<style>\n$style</style>", @drawn,
      '</svg>', '';
}

# Each: a title, a line below it, and rows [peer, value].
sub panels {
    my ($figures, $amount) = @_;
    my $first = sub { !$_[0]{second} && $_[0]{id} ne 'plain' };

    return (
        { title => "Wrong passwords looked at, of $amount->{guesses} at once",
            below => 'the limit is 5; bcrypt of cost 10',
            rows => rows(sub { !$_[0]{only} },
                sub { worst($figures, $_[0], qw(fresh kept)) }) },
        { title => "Right requests refused, of $amount->{right}",
            below => '40 at a time; * who had one old password saved, too',
            rows => with_old($figures, rows(sub { !$_[0]{only} },
                sub { worst($figures, $_[0], 'right_refused') })) },
        { title => 'A refusal, in instructions',
            below => 'user space; within, the least that such an answer takes',
            rows => rows($first, map { my $name = $_;
                sub { $figures->median('instructions', $_[0], $name) } }
                qw(refusal refusal_base)) },
        { title => 'A static page under 200 attacking addresses',
            below => 'median wait, as a multiple of idle; logarithmic',
            scale => sub { log(1 + $_[0]) },
            rows => with_one_check($figures, rows(sub { !$_[0]{second} },
                sub { wait_of($figures, 'calm', $_[0]) })) });
}

# Who is refused does not wait.
sub wait_of {
    my ($figures, $cell, $id) = @_;
    my $refused = Bench::Report::worst_refused($figures, $cell, $id, 'many',
        'static');

    return $refused > 0.5 ? 'refused'
      : $figures->median($cell, $id, 'many_ratio_static');
}

# Marked where an old password that was saved locks its user out.
sub with_old {
    my ($figures, $rows) = @_;

    $_->{mark} = $figures->most('exact', $_->{id}, 'old_refused') ? ' *' : ''
      for @$rows;
    return $rows;
}

# Below the guard as it comes: the guard with one check at a time.
sub with_one_check {
    my ($figures, $rows) = @_;

    return [map { $_, $_->{is_ours} ? { is_ours => 1,
            name => '… AuthGuardChecks 1',
            value => wait_of($figures, 'calm_one_check', 'guard') } : () }
          @$rows];
}

sub worst {
    my ($figures, $id, @names) = @_;
    my @values = map { $figures->most('exact', $id, $_) // () } @names;

    return @values ? max(@values) : undef;
}

sub rows {
    my ($who, $value_of, $base_of) = @_;
    my @rows;

    for my $peer (grep { $who->($_) } Bench::Peers::all()) {
        my $name = $peer->{second} ? "… $peer->{setting}" : $peer->{name};

        push @rows, { name => $name, id => $peer->{id},
            is_ours => $peer->{name} eq 'mod_auth_guard',
            value => $value_of->($peer->{id}),
            base => $base_of ? $base_of->($peer->{id}) : undef };
    }
    return \@rows;
}

sub escaped {
    my ($text) = @_;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');

    return $text =~ s/([&<>])/$entity{$1}/gr =~ s/…/&#8230;/gr;
}

sub text {
    my ($x, $y, $class, $text, $anchor) = @_;

    return sprintf '<text x="%d" y="%d" class="%s" text-anchor="%s">%s</text>',
      $x, $y, $class, $anchor || 'start', escaped($text);
}

sub panel {
    my ($panel, $x, $y) = @_;
    my $scale = $panel->{scale} || sub { $_[0] };
    my $most = max(1, map { $scale->($_) }
          grep { is_number($_) } map { $_->{value} } @{ $panel->{rows} });
    my @drawn = (text($x, $y + 16, 'title', $panel->{title}),
        text($x, $y + 34, 'small', $panel->{below}));
    my $at = $y + TOP;

    for my $row (@{ $panel->{rows} }) {
        my $class = $row->{is_ours} ? 'ours' : 'other';

        push @drawn, text($x + LEFT - 8, $at + 11,
            $row->{is_ours} ? 'ours' : '', $row->{name}, 'end'),
          bar($row, $x + LEFT, $at, $class,
            sub { BAR_MAX * $scale->($_[0]) / $most });
        $at += STEP;
    }
    return @drawn;
}

sub is_number { return ($_[0] // '') =~ /\A[\d.]/ }

sub rectangle {
    my ($x, $y, $width, $height, $class) = @_;

    return sprintf
      '<rect x="%d" y="%d" width="%.1f" height="%d" class="%s"/>',
      $x, $y, $width, $height, $class;
}

# The base stands in the bar; the value behind it.
sub bar {
    my ($row, $x, $y, $class, $length_of) = @_;
    my $value = $row->{value} // 'not measured';

    return text($x, $y + 11, 'small', $value) unless is_number($value);
    my $length = max(1, $length_of->($value));
    my @drawn = rectangle($x, $y, $length, 14, $class);

    push @drawn, rectangle($x, $y + 4, $length_of->($row->{base}), 6, 'base')
      if defined $row->{base};
    $value = sprintf $value < 100 && $value != int $value ? '%.1f' : '%.0f',
      $value;
    1 while $value =~ s/^(\d+)(\d{3})/$1,$2/;
    return @drawn,
      text($x + $length + 6, $y + 11, '', $value . ($row->{mark} // ''));
}

1;
